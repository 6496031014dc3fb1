-- expect: unknown_method.lua:4: unknown method 'mxpool'; did you mean 'maxpool'?
local x = input { "x", 4, 8, 8 }
return x:relu()
  :mxpool { 2 }
