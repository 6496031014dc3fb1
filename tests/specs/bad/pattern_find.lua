-- expect: pattern_find.lua:4: the spec runs for more than 0.1 s
-- seconds: 0.1
local s = ('a'):rep(30000)
s:find('a*a*a*a*a*b')
