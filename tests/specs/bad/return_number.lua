-- expect: return_number.lua:3: the spec must return a tensor or a table of them (return y, return { a, b } or return { boxes = b, scores = s }); it returns a number
local x = input { "x", 4, 8, 8 }
return 3
