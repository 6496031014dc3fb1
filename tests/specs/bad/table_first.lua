-- expect: ?
local x = input { "x", 4, 8, 8 }
return conv({ 8, 3 }, x)
