-- expect: ?
-- seconds: 0.2
local s = ('('):rep(1 << 20)
s:find('%b()')
