local x = input { "x", 3, 14, 14 }
x = x:conv { 24, 3, stride = 2, pad = 1 }:batchnorm():relu6()
x = x:conv { 24, 3, pad = 1, groups = 24 }:batchnorm():relu6()
x = x:conv { 40, 1 }:batchnorm()
local y = x:conv { 80, 3, pad = 1, groups = 40 }:relu()
local z = x:conv { 120, 5, stride = 2, pad = 2, groups = 40 }:relu()
local q = x:conv { 20, 3, pad = 1, groups = 20 }:relu()
return { y, z, q + x:conv { 20, 1 } }
