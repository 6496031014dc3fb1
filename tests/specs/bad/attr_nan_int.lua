-- expect: attr_nan_int.lua:3: conv: out = nan: an integer expected
local x = input { "x", 4, 8, 8 }
return x:conv { 0 / 0, 3 }
