-- expect: unknown_key.lua:3: conv: unknown key 'strid'; did you mean 'stride'? (it takes out, kernel, stride, pad, dilation, groups, bias, flip, pad_mode, pad_value, algorithm, name, schedule)
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, strid = 2 }
