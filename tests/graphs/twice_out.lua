local x = input { "x", 5, 6, 6 }
local y = x:conv { 24, 3, pad = 1 }
return { y, y + y, y:relu():conv { 5, 3, pad = 1 } + x }
