-- expect: schedule_far.lua:9: dense: schedule: too many steps
-- seconds: 0.1
local t = {}
for i = 1, 9 do t[i] = 1 end
t[17] = 1
for i = 4, 62 do t[1 << i] = 1 end
t[math.maxinteger] = 1
assert(#t > 1 << 40, #t)
input { 'x', 3 }:dense { 3, schedule = t }
