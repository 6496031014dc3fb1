-- expect: twice.lua:3: conv: kernel is given twice
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, kernel = 3 }
