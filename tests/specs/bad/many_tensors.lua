-- expect: many_tensors.lua:5: concat: more than 256 tensors
local x = input { "x", 4, 8, 8 }
local t = {}
for i = 1, 300 do t[i] = x end
return concat(t)
