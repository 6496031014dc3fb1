-- expect: value_call.lua:3: attempt to call a tensor value (local 'x')
local x = input { "x", 4, 8, 8 }
return x(1)
