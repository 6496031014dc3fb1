-- expect: ?
-- set: n=1.5
-- kind: usage
local n = param('n', 1)
