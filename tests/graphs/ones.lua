local x = input { "x", 1, 1, 1 }
local y = x:conv { 1, 1 }:batchnorm()
local z = y:conv { 1, 3, pad = 1 } + x
z = z:maxpool { 1 } + z:avgpool { 3, 1, pad = 1 } 
return { z, z:globalavgpool():flatten():dense { 1 }:softmax(), z:softmax() }
