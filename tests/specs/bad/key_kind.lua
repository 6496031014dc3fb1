-- expect: key_kind.lua:3: relu: a list without gaps, and names, expected in the braces; there is a boolean as key
local x = input { "x", 4, 8, 8 }
return x:relu { [true] = 1 }
