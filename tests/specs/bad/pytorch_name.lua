-- expect: pytorch_name.lua:3: conv: unknown key 'kernel_size'; did you mean 'kernel'? (it takes out, kernel, stride, pad, dilation, groups, bias, flip, pad_mode, pad_value, algorithm, name, schedule)
local x = input { "x", 4, 8, 8 }
return x:conv { 8, kernel_size = 3 }
