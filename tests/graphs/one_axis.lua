local x = input { "x", 13, 29 }
local y = x:conv { 32, 5, pad = {4, 0}, dilation = 1 }:relu()
y = y:conv { 32, 3, dilation = 4, pad = 4, groups = 4 } + y
y = y:maxpool { 3, 2, pad = 1 }
return { y:conv { 17, 4, stride = 3 }:avgpool { 2, 1, pad = {0, 1}, count_pad = false }, y:globalavgpool():flatten() }
