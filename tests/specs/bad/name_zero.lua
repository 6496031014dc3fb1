-- expect: name_zero.lua:3: relu: name: a zero byte in it
local x = input { "x", 4, 8, 8 }
return x:relu { name = 'a\0b' }
