-- expect: split_dot.lua:3: split: expected as x:split { … } (a method is called with a colon)
local x = input { "x", 4, 8, 8 }
return { x.split { 2 } }
