-- expect: return_named_text.lua:3: the spec must return tensors (return y, return { a, b } or return { boxes = b, scores = s }); 'b' is a number
local x = input { "x", 4, 8, 8 }
return { a = x, b = 3 }
