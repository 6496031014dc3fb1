local x = input { "x", 16, 6, 6 }
local b = x:batchnorm()
local c = b:conv { 32, 3, pad = 1 }
local p = c:batchnorm()
local q = c:batchnorm():relu()
local bb = x:conv { 32, 3, pad = 1 }:batchnorm():batchnorm():batchnorm():relu()
local out = x:conv { 32, 1 }
return { (p + q):maxpool { 2 }, bb, out, out:batchnorm(), bb:flatten():dense { 10 }:batchnorm():batchnorm() }
