-- DenseNet-121 (Huang et al., 2016, arXiv 1608.06993, table 1): every layer sees the results of all before it.
-- --set depth=161, 169 or 201 are the others. Weights named as in torchvision's `densenet121` and so on.

local depth = param("depth", 121)
local classes = param("classes", 1000)
local size = param("size", 224)                       -- height and width of the image

local config = ({                                     -- channels a layer adds, channels at first, layers of each block
  [121] = { growth = 32, first = 64, layers = { 6, 12, 24, 16 } },
  [161] = { growth = 48, first = 96, layers = { 6, 12, 36, 24 } },
  [169] = { growth = 32, first = 64, layers = { 6, 12, 32, 32 } },
  [201] = { growth = 32, first = 64, layers = { 6, 12, 48, 32 } },
})[depth]
assert(config, "depth is 121, 161, 169 or 201")

local function layer(x)                               -- the 1 x 1 convolution is a bottleneck of four times the growth
  return x:batchnorm { name = "norm1" }:relu():conv { 4 * config.growth, 1, bias = false, name = "conv1" }
          :batchnorm { name = "norm2" }:relu():conv { config.growth, 3, pad = 1, bias = false, name = "conv2" }
end

local function block(x, layers)
  for i = 1, layers do
    x = concat { x, scope("denselayer" .. i, function() return layer(x) end) }
  end
  return x
end

local function transition(x)                          -- halves the channels, then height and width
  return x:batchnorm { name = "norm" }:relu():conv { x.channels // 2, 1, bias = false, name = "conv" }:avgpool { 2 }
end

local x = input { "image", 3, size, size }
x = scope("features", function()
  x = x:conv { config.first, 7, stride = 2, pad = 3, bias = false, name = "conv0" }:batchnorm { name = "norm0" }:relu()
       :maxpool { 3, stride = 2, pad = 1 }            -- 64 x 56 x 56
  for i, layers in ipairs(config.layers) do
    x = scope("denseblock" .. i, function() return block(x, layers) end)
    if i < #config.layers then x = scope("transition" .. i, function() return transition(x) end) end
  end
  return x:batchnorm { name = "norm5" }:relu()        -- 1024 x 7 x 7
end)
return x:globalavgpool():flatten():dense { classes, name = "classifier" }
