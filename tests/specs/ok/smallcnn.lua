-- A small modern CNN for 28 x 28 grey images: convolution, batch norm, relu, six times over.
-- Trained weights: weights/smallcnn-mnist.safetensors and weights/smallcnn-fashion.safetensors.

local classes = param("classes", 10)                  -- change with --set classes=N

-- A block is a plain Lua function. `scope` puts its name before every name inside it, so in
-- "layer1" the weights are `layer1.conv.weight`, `layer1.bn.running_mean` and so on, as PyTorch
-- names them. The batch norm follows the convolution and has a shift of its own: no bias needed.
local function block(x, name, channels)
  return scope(name, function()
    return x:conv { channels, 3, pad = 1, bias = false, name = "conv" }:batchnorm { name = "bn" }:relu()
  end)
end

local x = input { "image", 1, 28, 28 }                -- channels, height, width
x = block(x, "layer1", 16):maxpool { 2 }              -- 16 x 14 x 14
x = block(x, "layer2", 32)
x = block(x, "layer3", 32):maxpool { 2 }              -- 32 x 7 x 7
x = block(x, "layer4", 64)
x = block(x, "layer5", 64)
x = block(x, "layer6", 128)                           -- 128 x 7 x 7
return x:globalavgpool():flatten():dense { classes, name = "fc" }:softmax()
