-- expect: return_name.lua:3: return: output 'a b' is not a name
local x = input { "x", 4, 8, 8 }
return { ['a b'] = x }
