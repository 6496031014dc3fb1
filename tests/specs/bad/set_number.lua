-- expect: --set n=: a number expected, as is the default in set_number.lua:4
-- set: n=
-- kind: usage
local n = param('n', 1.5)
