-- expect: internal_op.lua:3: unknown method 'relayout'
local x = input { "x", 4, 8, 8 }
return x:relayout()
