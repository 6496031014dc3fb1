-- expect: sort_long.lua:5: the spec runs for more than 0.1 s
-- seconds: 0.1
local t = {}
for i = 1, 1 << 17 do t[i] = -i * 7919 % 1000003 end
while true do table.sort(t) end
