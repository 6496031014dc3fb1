-- expect: return_far.lua:9: the spec must return a list without gaps, or names for all outputs (return y, return { a, b } or return { boxes = b, scores = s })
-- seconds: 0.1
local t = {}
for i = 1, 9 do t[i] = 1 end
t[17] = 1
for i = 4, 62 do t[1 << i] = 1 end
t[math.maxinteger] = 1
assert(#t > 1 << 40, #t)
return t
