-- expect: attr_list_long.lua:3: conv: kernel: 1 to 10 numbers expected, 11 given
local x = input { "x", 4, 8, 8 }
return x:conv { 8, { 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3 } }
