-- expect: value_plus_number.lua:3: add: a tensor expected as argument 2, a number came; attributes go in braces: add { … }
local x = input { "x", 4, 8, 8 }
return x + 1
