-- expect: attr_negative.lua:3: conv: pad = -1 is not in 0 … 65536
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, pad = -1 }
