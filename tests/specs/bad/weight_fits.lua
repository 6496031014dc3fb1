-- expect: weight_fits.lua:3: conv: weight is f32[n4 c3 h3 w3], but f32[o4 c3 h3 w3] is needed; x is f32[n1 c3 h8 w8]
local x = input { 'x', 3, 8, 8 }
return x:conv(weight { 'w', 4, 3, 3, 3 }, { 4, 3, bias = false })
