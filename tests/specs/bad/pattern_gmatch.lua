-- expect: ?
-- seconds: 0.2
local s = ('a'):rep(30000)
for w in s:gmatch('a*a*a*a*a*b') do end
