-- expect: --set n=many: an integer expected, as is the default in set_integer.lua:5
-- set: n=many
-- kind: usage

local n = param('n', 1)
