-- expect: table_first.lua:3: conv: a tensor expected as argument 1, a table came; attributes go in braces: conv { … }
local x = input { "x", 4, 8, 8 }
return conv({ 8, 3 }, x)
