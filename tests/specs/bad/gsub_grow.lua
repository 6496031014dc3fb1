-- expect: ?
-- memory: 64
local s = ('x'):rep(1 << 20)
s:gsub('', s)
