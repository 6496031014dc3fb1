-- expect: attr_list_empty.lua:3: conv: kernel: 1 to 16 numbers expected, 0 given
local x = input { "x", 4, 8, 8 }
return x:conv { 8, {} }
