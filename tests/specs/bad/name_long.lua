-- expect: name_long.lua:3: relu: name: more than 200 characters
local x = input { "x", 4, 8, 8 }
return x:relu { name = ('n'):rep(201) }
