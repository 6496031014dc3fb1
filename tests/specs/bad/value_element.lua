-- expect: value_element.lua:3: a tensor has no elements in a spec (x[…])
local x = input { "x", 4, 8, 8 }
return x[1]
