-- expect: schedule_list.lua:3: conv: schedule: a string expected, a table came
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, schedule = { 'a', {} } }
