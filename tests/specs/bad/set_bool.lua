-- expect: ?
-- set: n=1
-- kind: usage
local n = param('n', true)
