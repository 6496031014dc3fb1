-- expect: memory_table.lua:4: the spec uses more than 16 MB
-- memory: 16
local t = {}
for i = 1, 1 << 60 do t[i] = i end
