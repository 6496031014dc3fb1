local x = input { "x", 20, 15, 14 }
local a = x:conv { 20, 3, dilation = 6, pad = 6 }
local b = x:conv { 20, {3, 5}, dilation = {7, 3}, pad = {7, 6} }
local c = x:conv { 20, 2, dilation = 14, pad = {7, 7, 8, 8} }
return { a + b, c, x:maxpool { 3, 1, dilation = 3, pad = 3 } }
