local x = input { "x", 12, 8, 8 }
local a = x:conv { 24, 3, pad = 1 }
local b = concat { x:conv { 4, 1 }, x:conv { 20, 3, pad = 1 } }
local c = x:conv { 24, 3, pad = 1, groups = 12 }
local r = (a + b):relu()
local s = (c + r):tanh()
return { concat { s, x, a }:conv { 8, 1 } }
