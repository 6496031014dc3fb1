-- expect: add_one.lua:3: add: 2 tensors expected, 1 given
local x = input { "x", 4, 8, 8 }
return add(x)
