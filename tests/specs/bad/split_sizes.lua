-- expect: split_sizes.lua:3: split: the sizes add up to 5, the axis has 4
local x = input { "x", 4, 8, 8 }
return { x:split { sizes = { 2, 3 } } }
