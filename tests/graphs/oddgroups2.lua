local x = input { "x", 48, 7, 5 }
local a = x:conv { 48, 3, pad = 1, groups = 3 }
local b = x:conv { 48, 3, pad = 1, groups = 16 }
local c = x:conv { 48, 3, pad = 1, groups = 24 }
local d = x:conv { 48, 3, pad = 1, groups = 48 }
local y = (a + b):relu() + (c + d)
y = y:conv { 32, 3, stride = 2, pad = 1, groups = 2 }
return { concat { y, y, y:maxpool { 3, 1, pad = 1 } } }
