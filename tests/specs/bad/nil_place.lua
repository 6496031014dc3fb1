-- expect: nil_place.lua:4: conv: nil in place 1 of the braces
local x = input { "x", 4, 8, 8 }
local width, wdith = 8
return x:conv { wdith, 3 }
