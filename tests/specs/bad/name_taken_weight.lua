-- expect: name_taken_weight.lua:4: tanh: the name 'a.weight' is taken since line 3
local x = input { "x", 4, 8, 8 }
local y = x:conv { 8, 3, name = 'a' }
return y:tanh { name = 'a.weight' }
