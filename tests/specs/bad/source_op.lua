-- expect: source_op.lua:3: weight: expected as weight { "name", extents }
local x = input { "x", 4, 8, 8 }
return weight()
