-- expect: ?
local s = (''):rep(1 << 60)
return s
