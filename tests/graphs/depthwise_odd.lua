local x = input { "x", 37, 14, 3 }
local a = x:conv { 37, 3, pad = 1, groups = 37 } + x
local b = x:conv { 74, 3, pad = 1, groups = 37, bias = false }
return { a:relu(), b:sigmoid(), concat { a, b, x:maxpool { 3, 1, pad = 1 } }:conv { 3, 1 } }
