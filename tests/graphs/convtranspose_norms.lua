-- Two norms behind a transposed convolution, its weight turned once.
local x = input { "x", 2, 8, 6 }
local t = x:convtranspose { 8, 2, stride = 2, name = "t" }:batchnorm { name = "b" }:batchnorm { name = "c" }
return t + x:convtranspose { 8, 2, stride = 2, groups = 2, name = "g" }:batchnorm { name = "d" }:batchnorm { name = "e" }
