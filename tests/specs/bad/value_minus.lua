-- expect: value_minus.lua:3: sub: a tensor expected as argument 2, a number came; attributes go in braces: sub { … }
local x = input { "x", 4, 8, 8 }
return x - 1
