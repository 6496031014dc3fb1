-- expect: insert_far.lua:9: a list of more than 16777216 elements
-- seconds: 0.1
local t = {}
for i = 1, 9 do t[i] = 1 end
t[17] = 1
for i = 4, 62 do t[1 << i] = 1 end
t[math.maxinteger] = 1
assert(#t > 1 << 40, #t)
table.insert(t, 1, 1)
