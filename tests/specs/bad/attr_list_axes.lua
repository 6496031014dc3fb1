-- expect: attr_list_axes.lua:3: conv: kernel: one number, or one for each spatial axis expected, 3 given for 2 spatial axes
local x = input { "x", 4, 8, 8 }
return x:conv { 8, { 3, 3, 3 } }
