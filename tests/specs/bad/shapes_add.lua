-- expect: shapes_add.lua:4: add: shapes that broadcast are needed, but input 1 is f32[n1 c4 h8 w8], input 2 is f32[n1 c8 h8 w8]
local x = input { "x", 4, 8, 8 }
local y = x:conv { 8, 1 }
return x + y
