-- expect: split_none.lua:3: split: how many parts, or sizes = { … }?
local x = input { "x", 4, 8, 8 }
return { x:split { axis = 2 } }
