-- expect: return_mixed.lua:3: the spec must return a list without gaps, or names for all outputs (return y, return { a, b } or return { boxes = b, scores = s })
local x = input { "x", 4, 8, 8 }
return { x, b = x }
