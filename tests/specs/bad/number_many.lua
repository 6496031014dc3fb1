-- expect: number_many.lua:3: max: 2 tensors expected, 3 given
local x = input { "x", 4, 8, 8 }
return max { x, 0, 1 }
