-- expect: missing_out.lua:3: conv: out is not given (output channels)
local x = input { "x", 4, 8, 8 }
return x:conv()
