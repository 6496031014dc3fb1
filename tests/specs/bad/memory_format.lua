-- expect: ?
local s = ('x'):rep(1 << 20)
local t = ('%s%s'):format(s, s)
