-- expect: name_taken.lua:4: tanh: the name 'a' is taken since line 3
local x = input { "x", 4, 8, 8 }
local y = x:relu { name = 'a' }
return y:tanh { name = 'a' }
