-- expect: ?
-- set: n=1e999
-- kind: usage
local n = param('n', 1.5)
