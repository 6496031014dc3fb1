-- expect: number_argument.lua:3: avgpool: a tensor expected as argument 2, a number came; attributes go in braces: avgpool { … }
local x = input { "x", 4, 8, 8 }
return x:avgpool(2)
