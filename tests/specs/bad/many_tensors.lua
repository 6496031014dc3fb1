-- expect: ?
local x = input { "x", 4, 8, 8 }
local t = {}
for i = 1, 300 do t[i] = x end
return concat(t)
