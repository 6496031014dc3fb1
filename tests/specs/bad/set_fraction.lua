-- expect: --set n=1.5: an integer expected, as is the default in set_fraction.lua:4
-- set: n=1.5
-- kind: usage
local n = param('n', 1)
