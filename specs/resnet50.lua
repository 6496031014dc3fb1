-- ResNet-50 (He et al., 2015, arXiv 1512.03385, table 1): bottlenecks of 1 x 1, 3 x 3 and 1 x 1 convolutions,
-- the stride in the 3 x 3 as in torchvision. --set depth=101 or 152 are the deeper ones;
-- groups=32 width=4 makes a ResNeXt-50 (32 x 4d), width=128 a Wide ResNet-50-2.
-- Weights named as in torchvision's `resnet50`, `resnet101`, `resnext50_32x4d` and so on.

local depth = param("depth", 50)                      -- 50, 101 or 152
local groups = param("groups", 1)                     -- of the 3 x 3 convolutions
local width = param("width", 64)                      -- channels of a group in layer1, doubled by each layer
local classes = param("classes", 1000)
local size = param("size", 224)                       -- height and width of the image

local counts = ({ [50] = { 3, 4, 6, 3 }, [101] = { 3, 4, 23, 3 }, [152] = { 3, 8, 36, 3 } })[depth]
assert(counts, "depth is 50, 101 or 152")

-- The shortcut is x itself, or a 1 x 1 convolution where the shape changes.
local function shortcut(x, channels, stride)
  if x.channels == channels and stride == 1 then return x end
  return scope("downsample", function()
    return x:conv { channels, 1, stride = stride, bias = false, name = "0" }:batchnorm { name = "1" }
  end)
end

local function block(x, inner, outer, stride)
  local y = x:conv { inner, 1, bias = false, name = "conv1" }:batchnorm { name = "bn1" }:relu()
             :conv { inner, 3, stride = stride, pad = 1, groups = groups, bias = false, name = "conv2" }
             :batchnorm { name = "bn2" }:relu()
             :conv { outer, 1, bias = false, name = "conv3" }:batchnorm { name = "bn3" }
  return (y + shortcut(x, outer, stride)):relu()
end

local function stage(x, name, scale, count, stride)   -- the first block has the stride
  return scope(name, function()
    for i = 0, count - 1 do
      x = scope(tostring(i), function()
        return block(x, width * groups * scale, 256 * scale, i == 0 and stride or 1)
      end)
    end
    return x
  end)
end

local x = input { "image", 3, size, size }
x = x:conv { 64, 7, stride = 2, pad = 3, bias = false, name = "conv1" }:batchnorm { name = "bn1" }:relu()
     :maxpool { 3, stride = 2, pad = 1 }              -- 64 x 56 x 56
x = stage(x, "layer1", 1, counts[1], 1)               -- 256 x 56 x 56
x = stage(x, "layer2", 2, counts[2], 2)               -- 512 x 28 x 28
x = stage(x, "layer3", 4, counts[3], 2)               -- 1024 x 14 x 14
x = stage(x, "layer4", 8, counts[4], 2)               -- 2048 x 7 x 7
return x:globalavgpool():flatten():dense { classes, name = "fc" }
