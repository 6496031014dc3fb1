-- expect: attr_fraction.lua:3: conv: out = 8.5: an integer expected
local x = input { "x", 4, 8, 8 }
return x:conv { 8.5, 3 }
