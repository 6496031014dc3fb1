-- expect: split_axis.lua:3: split: axis = 4 is not in -4 … 3
local x = input { "x", 4, 8, 8 }
return { x:split { 2, axis = 4 } }
