-- expect: return_text.lua:3: the spec must return tensors (return y, return { a, b } or return { boxes = b, scores = s }); 'output_2' is a string
local x = input { "x", 4, 8, 8 }
return { x, 'y' }
