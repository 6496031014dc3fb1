-- expect: number_text.lua:3: mul: a tensor expected as argument 2, a string came; attributes go in braces: mul { … }
local x = input { "x", 4, 8, 8 }
return x * "2"
