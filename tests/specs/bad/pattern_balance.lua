-- expect: pattern_balance.lua:4: the spec runs for more than 0.1 s
-- seconds: 0.1
local s = ('('):rep(1 << 20)
s:find('%b()')
