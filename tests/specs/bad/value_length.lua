-- expect: value_length.lua:3: attempt to get length of a tensor value (local 'x')
local x = input { "x", 4, 8, 8 }
return #x
