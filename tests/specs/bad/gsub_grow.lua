-- expect: gsub_grow.lua:4: the spec uses more than 64 MB
-- memory: 64
local s = ('x'):rep(1 << 20)
s:gsub('', s)
