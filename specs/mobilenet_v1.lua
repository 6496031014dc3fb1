-- MobileNet v1 (Howard et al., 2017, arXiv 1704.04861, table 1): depthwise and 1 x 1 convolutions by turns.
-- Weights named as in the PyTorch implementation "pytorch-mobilenet" (marvis), a list of sequences `model`.

local width = param("width", 1.0)                     -- the paper's width multiplier: 1.0, 0.75, 0.5, 0.25
local classes = param("classes", 1000)
local size = param("size", 224)                       -- height and width of the image

local function channels(c) return math.floor(c * width) end

local function conv(x, attributes, at)                -- a convolution, batch norm, relu; places `at`, `at` + 1, `at` + 2
  attributes.bias, attributes.name = false, tostring(at)
  return x:conv(attributes):batchnorm { name = tostring(at + 1) }:relu()
end

local function block(x, out, stride)
  x = conv(x, { x.channels, 3, stride = stride, pad = 1, groups = x.channels }, 0)
  return conv(x, { channels(out), 1 }, 3)
end

local blocks = {                                      -- output channels, stride
  { 64, 1 },
  { 128, 2 }, { 128, 1 },
  { 256, 2 }, { 256, 1 },
  { 512, 2 }, { 512, 1 }, { 512, 1 }, { 512, 1 }, { 512, 1 }, { 512, 1 },
  { 1024, 2 }, { 1024, 1 },
}

local x = input { "image", 3, size, size }
x = scope("model", function()
  x = scope("0", function() return conv(x, { channels(32), 3, stride = 2, pad = 1 }, 0) end)  -- 32 x 112 x 112
  for i, b in ipairs(blocks) do
    x = scope(tostring(i), function() return block(x, b[1], b[2]) end)
  end
  return x                                            -- 1024 x 7 x 7
end)
return x:globalavgpool():flatten():dense { classes, name = "fc" }
