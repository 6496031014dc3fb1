local x = input { "x", 17, 13, 10 }
x = x:conv { 16, 2, stride = 5, pad = 1 }
local y = x:conv { 33, 1, stride = 2 }
local z = x:conv { 33, 1, stride = 3, pad = 2 }
return { y:flatten():dense { 7 }, z:flatten():dense{ 5 } }
