-- expect: ?
-- seconds: 1
local t = {}
for i = 1, 1 << 20 do t[i] = 1 end
for i = 1, 1 << 20 do t[i] = nil end
while true do next(t) end
