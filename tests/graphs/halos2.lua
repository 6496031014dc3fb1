local x = input { "x", 24, 9, 9 }
local m = x:maxpool { 3, 2, pad = 1 }
local c = x:conv { 24, 3, stride = 2, pad = 1 }
local k = x:conv { 24, 5, stride = 2, pad = 2 }
local m2 = x:maxpool { {5, 3}, 2, pad = {2, 1} }
return { (m + c) + (k + m2), x + x, x }
