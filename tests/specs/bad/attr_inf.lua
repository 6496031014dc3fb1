-- expect: attr_inf.lua:3: conv: pad = inf is not in 0 … 65536
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, pad = math.huge }
