-- expect: attr_string.lua:3: conv: out: an integer expected, a string came
local x = input { "x", 4, 8, 8 }
return x:conv { '8', 3 }
