local x = input { "x", 3, 8, 8 }
local y = x:conv { 8, 3, schedule = "split w 2 -> wo wi; unroll wi" }
return y:conv { 8, 3, name = "c2", schedule = { "split w 2 -> wo wi", "unroll wi" } }
