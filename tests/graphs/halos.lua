local x = input { "x", 16, 12, 12 }
local t = x:conv { 32, 3, pad = 1 }:relu()
local a = t:conv { 16, 5, pad = 2 }
local b = t:conv { 16, 3, pad = 1 }
local c = t:maxpool { 3, 1, pad = 1 }:conv { 16, 1 }
local d = t:avgpool { 5, 1, pad = 2, count_pad = true }:conv { 16, 1 }
local e = t:avgpool { 3, 1, pad = 1 }:conv { 16, 1 }
local f = t:conv { 16, 3, pad = {3, 0, 3, 4}, dilation = {3, 2} }
return { a + b + c + d + e + f, t, t:relu(), concat { t, t } }
