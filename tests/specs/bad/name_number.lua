-- expect: name_number.lua:3: relu: name: a string expected, a number came
local x = input { "x", 4, 8, 8 }
return x:relu { name = 3 }
