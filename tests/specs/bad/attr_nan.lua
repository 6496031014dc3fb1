-- expect: attr_nan.lua:3: leakyrelu: alpha = nan is not in -1000000 … 1000000
local x = input { "x", 4, 8, 8 }
return x:leakyrelu { 0 / 0 }
