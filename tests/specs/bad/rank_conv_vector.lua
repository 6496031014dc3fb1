-- expect: rank_conv_vector.lua:3: conv: x is f32[n1 c4], but axes n c and 1 to 3 of d h w are needed
local x = input { "x", 4 }
return x:conv { 8, 3 }
