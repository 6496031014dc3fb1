-- expect: attr_list_long.lua:3: conv: kernel: 1 to 16 numbers expected, 17 given
local x = input { "x", 4, 8, 8 }
return x:conv { 8, { 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3 } }
