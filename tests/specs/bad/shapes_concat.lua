-- expect: shapes_concat.lua:3: concat: input 2 is f32[n1 c4 h4 w4], input 1 is f32[n1 c4 h8 w8]: only axis 1 may differ
local x = input { "x", 4, 8, 8 }
return concat { x, x:maxpool { 2 } }
