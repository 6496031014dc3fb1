-- expect: rep_empty.lua:3: the spec must return a tensor or a table of them (return y, return { a, b } or return { boxes = b, scores = s }); it returns a string
local s = (''):rep(1 << 60)
return s
