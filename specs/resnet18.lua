-- ResNet-18 (He et al., 2015, arXiv 1512.03385, table 1): residual blocks of two 3 x 3 convolutions.
-- --set depth=34 is the other network of these blocks; those of three are in resnet50.lua.
-- Weights named as in torchvision's `resnet18` and `resnet34`.

local depth = param("depth", 18)                      -- 18 or 34
local classes = param("classes", 1000)
local size = param("size", 224)                       -- height and width of the image

local counts = ({ [18] = { 2, 2, 2, 2 }, [34] = { 3, 4, 6, 3 } })[depth]
assert(counts, "depth is 18 or 34")

-- The shortcut is x itself, or a 1 x 1 convolution where the shape changes.
local function shortcut(x, channels, stride)
  if x.channels == channels and stride == 1 then return x end
  return scope("downsample", function()
    return x:conv { channels, 1, stride = stride, bias = false, name = "0" }:batchnorm { name = "1" }
  end)
end

local function block(x, channels, stride)
  local y = x:conv { channels, 3, stride = stride, pad = 1, bias = false, name = "conv1" }:batchnorm { name = "bn1" }:relu()
             :conv { channels, 3, pad = 1, bias = false, name = "conv2" }:batchnorm { name = "bn2" }
  return (y + shortcut(x, channels, stride)):relu()
end

local function stage(x, name, channels, count, stride) -- the first block has the stride
  return scope(name, function()
    for i = 0, count - 1 do
      x = scope(tostring(i), function() return block(x, channels, i == 0 and stride or 1) end)
    end
    return x
  end)
end

local x = input { "image", 3, size, size }
x = x:conv { 64, 7, stride = 2, pad = 3, bias = false, name = "conv1" }:batchnorm { name = "bn1" }:relu()
     :maxpool { 3, stride = 2, pad = 1 }              -- 64 x 56 x 56
x = stage(x, "layer1", 64, counts[1], 1)
x = stage(x, "layer2", 128, counts[2], 2)             -- 128 x 28 x 28
x = stage(x, "layer3", 256, counts[3], 2)             -- 256 x 14 x 14
x = stage(x, "layer4", 512, counts[4], 2)             -- 512 x 7 x 7
return x:globalavgpool():flatten():dense { classes, name = "fc" }
