-- expect: return_empty.lua:3: the spec must return at least one tensor (return y, return { a, b } or return { boxes = b, scores = s })

return {}
