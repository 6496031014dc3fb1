-- expect: unknown_key_two.lua:3: conv: unknown key 'padding'; did you mean 'pad'? (it takes out, kernel, stride, pad, dilation, groups, bias, flip, pad_mode, pad_value, algorithm, name, schedule)
local x = input { "x", 4, 8, 8 }
return x:conv { 8, 3, zz = 2, padding = 1 }
