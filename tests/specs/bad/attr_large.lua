-- expect: attr_large.lua:3: conv: kernel = 1.099511628e+12 is not in 1 … 65536
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 1 << 40 }
