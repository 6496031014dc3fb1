-- expect: next_holes.lua:6: the spec runs for more than 0.5 s
-- seconds: 0.5
local t = {}
for i = 1, 1 << 16 do t[i] = 1 end
for i = 1, 1 << 16 do t[i] = nil end
while true do next(t) end
