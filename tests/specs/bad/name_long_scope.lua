-- expect: ?
local x = input { "x", 4, 8, 8 }
return scope(('n'):rep(150), function() return x:relu { name = ('n'):rep(60) } end)
