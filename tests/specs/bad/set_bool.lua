-- expect: --set n=1: true or false expected, as is the default in set_bool.lua:4
-- set: n=1
-- kind: usage
local n = param('n', true)
