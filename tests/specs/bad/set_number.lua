-- expect: ?
-- set: n=
-- kind: usage
local n = param('n', 1.5)
