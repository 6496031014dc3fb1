-- SqueezeNet 1.1 (Iandola et al., 2016, arXiv 1602.07360; 1.1 is the authors' later version with less work):
-- "fire" modules squeeze the channels, then expand them by 1 x 1 and 3 x 3 convolutions. No dense layer.
-- Weights named as in torchvision's `squeezenet1_1`.

local classes = param("classes", 1000)
local size = param("size", 224)                       -- height and width of the image

local function fire(x, name, squeeze, expand)
  return scope(name, function()
    local s = x:conv { squeeze, 1, name = "squeeze" }:relu()
    return concat {
      s:conv { expand, 1, name = "expand1x1" }:relu(),
      s:conv { expand, 3, pad = 1, name = "expand3x3" }:relu(),
    }
  end)
end

local function pool(x) return x:maxpool { 3, stride = 2, ceil = true } end

local x = input { "image", 3, size, size }
x = scope("features", function()
  x = pool(x:conv { 64, 3, stride = 2, name = "0" }:relu())           -- 64 x 55 x 55
  x = pool(fire(fire(x, "3", 16, 64), "4", 16, 64))                   -- 128 x 27 x 27
  x = pool(fire(fire(x, "6", 32, 128), "7", 32, 128))                 -- 256 x 13 x 13
  x = fire(fire(x, "9", 48, 192), "10", 48, 192)
  return fire(fire(x, "11", 64, 256), "12", 64, 256)                  -- 512 x 13 x 13
end)
return x:conv { classes, 1, name = "classifier.1" }:relu():globalavgpool():flatten()
