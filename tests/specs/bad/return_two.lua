-- expect: return_two.lua:3: the spec must return one tensor or a table of them (return y, return { a, b } or return { boxes = b, scores = s }); it returns several values
local x = input { "x", 4, 8, 8 }
return x, x
