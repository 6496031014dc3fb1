local x = input { "x", 8, 12, 12 }
local k = input { "k", shape = { 16, 4, 3, 3 } }
return x:relu():conv(k:tanh(), { 16, 3, groups = 2, pad = 1, bias = false }):relu()
