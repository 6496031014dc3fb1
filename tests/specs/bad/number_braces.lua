-- expect: number_braces.lua:3: relu: a tensor expected as argument 2, a number came; attributes go in braces: relu { … }
local x = input { "x", 4, 8, 8 }
return x:relu(2)
