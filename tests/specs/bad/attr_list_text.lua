-- expect: attr_list_text.lua:3: conv: kernel: a number or a list of numbers expected, a string came
local x = input { "x", 4, 8, 8 }
return x:conv { 8, { 3, '3' } }
