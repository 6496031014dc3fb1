-- expect: return_nothing.lua:3: the spec must return one tensor or a table of them (return y, return { a, b } or return { boxes = b, scores = s }); it returns nothing
local x = input { "x", 4, 8, 8 }
local y = x:relu()
