-- expect: separable_twice.lua:3: separable: kernel is given twice
local x = input { "x", 4, 8, 8 }
return x:separable { 8, 3, kernel = 3 }
