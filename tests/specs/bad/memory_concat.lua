-- expect: memory_concat.lua:6: the spec uses more than 16 MB
-- memory: 16
local t = {}
local s = ('x'):rep(1 << 20)
for i = 1, 1000 do t[i] = s end
table.concat(t)
