local x = input { "x", 7 }
local y = x:batchnorm():dense { 33 }:batchnorm():relu()
local z = y:dense { 33, bias = false }:batchnorm()
return { (y + z):softmax(), y, concat { x, y, z, z }:dense { 4 } }
