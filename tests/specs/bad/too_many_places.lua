-- expect: too_many_places.lua:3: conv: too many attributes by place
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, 2 }
