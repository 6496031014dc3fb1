-- expect: two_tensors.lua:3: relu: 1 tensor expected, 2 given
local x = input { "x", 4, 8, 8 }
return relu(x, x)
