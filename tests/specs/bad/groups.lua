-- expect: groups.lua:3: conv: x has 4 channels, which 3 groups do not divide; x is f32[n1 c4 h8 w8]
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, groups = 3 }
