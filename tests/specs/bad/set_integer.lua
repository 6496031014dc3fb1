-- expect: ?
-- set: n=many
-- kind: usage

local n = param('n', 1)
