-- expect: pattern_set.lua:4: the spec runs for more than 0.1 s
-- seconds: 0.1
local s = ('a'):rep(1 << 19)
s:find('[' .. ('b'):rep(1 << 19) .. ']')
