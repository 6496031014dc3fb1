-- expect: value_minus.lua:3: attempt to perform arithmetic on a tensor value (local 'x')
local x = input { "x", 4, 8, 8 }
return x - x
