-- expect: ?
-- seconds: 0.2
local t = {}
for i = 1, 1 << 22 do t[i] = -i * 7919 % 1000003 end
table.sort(t)
