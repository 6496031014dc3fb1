-- expect: attr_list_keys.lua:3: conv: kernel: a plain list of numbers expected
local x = input { "x", 4, 8, 8 }
return x:conv { 8, { h = 3, w = 3 } }
