-- expect: rank_pool_vector.lua:3: maxpool: x is f32[n1 c4], but axes n c and 1 to 3 of d h w are needed
local x = input { "x", 4 }
return x:maxpool { 2 }
