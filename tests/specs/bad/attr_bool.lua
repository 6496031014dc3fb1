-- expect: attr_bool.lua:3: conv: bias: true or false expected, a number came
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, bias = 1 }
