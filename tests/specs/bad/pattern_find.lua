-- expect: ?
-- seconds: 0.2
local s = ('a'):rep(30000)
s:find('a*a*a*a*a*b')
