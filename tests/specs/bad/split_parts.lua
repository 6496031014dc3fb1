-- expect: split_parts.lua:3: split: an axis of 4 does not make 3 equal parts: sizes = { … } says which
local x = input { "x", 4, 8, 8 }
return { x:split { 3 } }
