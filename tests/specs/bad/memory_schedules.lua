-- expect: memory_schedules.lua:5: the spec uses more than 16 MB
-- memory: 16
local x = input { "x", 4, 8, 8 }
local s = ('x'):rep(10000)
while true do x:relu { schedule = s } end
