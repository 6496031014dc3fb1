local x = input { "x", 64, 5, 5 }
local t = x:conv { 65, 1 }
local u = t:conv { 67, 3, pad = 1 }
local v = u:conv { 128, 3, stride = 4, pad = 1 }
return { v:flatten():dense { 100 }:relu():dense { 37 }:dense { 16 }, concat { t, u, x } }
