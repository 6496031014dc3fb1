-- expect: ?
-- memory: 16
local t = {}
for i = 1, 1 << 60 do t[i] = i end
