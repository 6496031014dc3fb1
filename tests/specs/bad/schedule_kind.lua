-- expect: schedule_kind.lua:3: conv: schedule: a string expected, a number came
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, schedule = 3 }
