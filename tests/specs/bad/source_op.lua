-- expect: source_op.lua:3: unknown name 'weight'
local x = input { "x", 4, 8, 8 }
return weight()
