-- expect: kernel_large.lua:3: conv: along h the kernel spans 9 (extent 9, dilation 1), but the padded input has 8 (0 + 8 + 0); x is f32[n1 c4 h8 w8]
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 9 }
