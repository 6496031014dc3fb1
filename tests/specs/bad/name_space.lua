-- expect: name_space.lua:3: relu: 'a b' is not a name
local x = input { "x", 4, 8, 8 }
return x:relu { name = 'a b' }
