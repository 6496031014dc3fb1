local x = input { "x", 3, 9, 7 }
return x:conv { 8, 3, stride = 2, pad = "same", name = "c" }:batchnorm():relu():maxpool { 2 }
