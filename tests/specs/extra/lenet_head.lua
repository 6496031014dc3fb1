-- The first layer of LeNet-5 alone: its weight file then has tensors too many.
return input { "image", 1, 28, 28 }:conv { 6, 5, pad = 2, name = "conv1" }
