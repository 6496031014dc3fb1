-- expect: rank_dense_image.lua:3: dense: x is f32[n1 c4 h8 w8], but axes n c are needed: flatten it first
local x = input { "x", 4, 8, 8 }
return x:dense { 3 }
