-- expect: nil_plus.lua:3: add: a tensor expected as argument 1, nil came; attributes go in braces: add { … }
local x, y = input { "x", 4, 8, 8 }
return y + x
