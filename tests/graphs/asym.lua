local x = input { "x", 7, 9, 9 }
local a = x:conv { 14, 4, pad = {0, 3, 5, 1} }
local b = a:conv { 14, 4, pad = {3, 0, 0, 3}, groups = 7 }
return { a, b, b:conv { 28, 1, pad = 2 } }
