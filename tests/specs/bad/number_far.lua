-- expect: number_far.lua:3: mul: a number: value = 1e+39 is not in -3.402823466e+38 … 3.402823466e+38
local x = input { "x", 4, 8, 8 }
return x * 1e39
