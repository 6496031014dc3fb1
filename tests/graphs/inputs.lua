local x = input { "x", 8, 6, 6 }
local z = input { "z", 8, 6, 6 }
local s = x + x
return { x + z, s + x, concat { x, x, z }, z:conv { 8, 3, pad = 1 } + z, x:maxpool { 2 } }
