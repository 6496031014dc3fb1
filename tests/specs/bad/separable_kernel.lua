-- expect: separable_kernel.lua:3: conv: kernel is not given (kernel extents, [d] h w)
local x = input { "x", 4, 8, 8 }
return x:separable { 8 }
