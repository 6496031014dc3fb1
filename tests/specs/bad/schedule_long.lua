-- expect: schedule_long.lua:3: conv: schedule: more than 16384 characters
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, schedule = ('a'):rep(20000) }
