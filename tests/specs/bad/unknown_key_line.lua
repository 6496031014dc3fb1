-- expect: unknown_key_line.lua:5: conv: unknown key 'Pad'; did you mean 'pad'? (it takes out, kernel, stride, pad, dilation, groups, bias, flip, pad_mode, pad_value, algorithm, name, schedule)
local x = input { "x", 4, 8, 8 }
return x
  :relu()
  :conv { 8, 3, Pad = 2 }
