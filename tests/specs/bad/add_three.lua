-- expect: add_three.lua:3: add: 2 tensors expected, 3 given
local x = input { "x", 4, 8, 8 }
return add(x, x, x)
