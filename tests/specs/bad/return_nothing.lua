-- expect: ?
local x = input { "x", 4, 8, 8 }
local y = x:relu()
