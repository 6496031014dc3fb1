-- expect: unknown_global.lua:4: unknown name 'mxapool'; did you mean 'maxpool'?
local x = input { "x", 4, 8, 8 }
local y = x:relu()
return mxapool(y)
