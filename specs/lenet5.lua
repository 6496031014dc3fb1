-- LeNet-5 (LeCun et al., 1998), for 28 x 28 grey images: 61,706 parameters.
--
-- A spec describes a network by building it: every method call adds one layer to a value and
-- returns the layer's output. Only the output's shape has to be thought of; input channels are inferred.
--   conv { 6, 5, pad = 2 }   6 output channels, 5 x 5 window, 2 zeros around the image
--   avgpool { 2 }            mean of each 2 x 2 window, half the height and half the width
--   name = "conv1"           its weights are `conv1.weight` and `conv1.bias` in the weight file
-- Trained weights: weights/lenet5-mnist.safetensors and weights/lenet5-fashion.safetensors.

local classes = param("classes", 10)                  -- lunette run lenet5.lua --set classes=10
local x = input { "image", 1, 28, 28 }                -- channels, height, width; the batch is --batch N, 1 by default
local y = x:conv { 6, 5, pad = 2, name = "conv1" }:tanh():avgpool { 2 }
           :conv { 16, 5, name = "conv2" }:tanh():avgpool { 2 }
           :flatten()
           :dense { 120, name = "fc1" }:tanh():dense { 84, name = "fc2" }:tanh()
           :dense { classes, name = "fc3" }
return y:softmax()
