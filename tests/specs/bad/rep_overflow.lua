-- expect: ?
local s = ('xx'):rep(1 << 62, 'y')
