-- expect: ?
-- seconds: 0.2
local t = {}
for i = 0, 62 do t[1 << i] = 1 end
t[math.maxinteger] = 1
table.remove(t, 1)
