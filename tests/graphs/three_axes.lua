local x = input { "x", 3, 5, 6, 7 }
local y = x:conv { 16, 3, pad = 1 }:batchnorm():relu()
y = y:conv { 16, {1, 3, 3}, pad = {0, 1, 1} } + y
y = y:maxpool { {2, 3, 2}, {1, 2, 2}, pad = {1, 1, 0} }
y = y:conv { 11, 3, pad = {1, 2, 1, 2, 2, 1}, stride = {2, 1, 2}, dilation = {1, 2, 1} }
return { y, y:avgpool { {1, 2, 2}, pad = {0, 1, 1}, count_pad = false }:flatten():dense { 9 } }
