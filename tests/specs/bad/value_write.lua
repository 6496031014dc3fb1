-- expect: value_write.lua:3: a tensor cannot be changed
local x = input { "x", 4, 8, 8 }
x.name = 'y'
