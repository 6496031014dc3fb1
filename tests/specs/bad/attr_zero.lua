-- expect: attr_zero.lua:3: conv: out = 0 is not in 1 … 16777216
local x = input { "x", 4, 8, 8 }
return x:conv { 0, 3 }
