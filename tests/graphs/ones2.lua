local x = input { "x", 33, 1, 1 }
local y = x:conv { 31, 1, bias = false }:batchnorm():relu()
y = concat { y, y:batchnorm():batchnorm() }
return { y:conv { 2, {3, 1}, pad = {1, 0} }:logsoftmax(), y:flatten():dense { 64 }:batchnorm():dense { 3 }:logsoftmax() }
