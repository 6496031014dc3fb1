-- expect: --set n=1e999: a finite number expected, as is the default in set_inf.lua:4
-- set: n=1e999
-- kind: usage
local n = param('n', 1.5)
