-- expect: ?
local x = input { "x", 4, 8, 8 }
return weight()
