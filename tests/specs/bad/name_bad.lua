-- expect: name_bad.lua:3: relu: '1st' is not a name
local x = input { "x", 4, 8, 8 }
return x:relu { name = '1st' }
