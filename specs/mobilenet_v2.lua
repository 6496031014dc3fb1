-- MobileNet v2 (Sandler et al., 2018, arXiv 1801.04381, table 2): inverted residuals, whose shortcuts join the
-- narrow ends. Weights named as in torchvision's `mobilenet_v2`.

local width = param("width", 1.0)                     -- the paper's width multiplier
local classes = param("classes", 1000)
local size = param("size", 224)                       -- height and width of the image

-- The nearest multiple of 8, but not less than nine tenths
local function channels(c)
  local wanted = c * width
  local rounded = math.max(8, (math.floor(wanted) + 4) // 8 * 8)
  return rounded < 0.9 * wanted and rounded + 8 or rounded
end

local function conv(x, name, attributes)              -- a convolution, batch norm, relu6
  return scope(name, function()
    attributes.bias, attributes.name = false, "0"
    return x:conv(attributes):batchnorm { name = "1" }:relu6()
  end)
end

local function inverted_residual(x, expand, out, stride)
  local y, at = x, 0                                  -- at: the next place in torchvision's list
  if expand > 1 then y, at = conv(y, "0", { expand * x.channels, 1 }), 1 end
  y = conv(y, tostring(at), { y.channels, 3, stride = stride, pad = 1, groups = y.channels })
  y = y:conv { out, 1, bias = false, name = tostring(at + 1) }:batchnorm { name = tostring(at + 2) }
  if stride == 1 and x.channels == out then return x + y end
  return y
end

local stages = {                                      -- t expansion, c output channels, n blocks, s stride of the first
  { t = 1, c = 16, n = 1, s = 1 },                    -- 16 x 112 x 112
  { t = 6, c = 24, n = 2, s = 2 },
  { t = 6, c = 32, n = 3, s = 2 },
  { t = 6, c = 64, n = 4, s = 2 },
  { t = 6, c = 96, n = 3, s = 1 },
  { t = 6, c = 160, n = 3, s = 2 },
  { t = 6, c = 320, n = 1, s = 1 },                   -- 320 x 7 x 7
}

local x = input { "image", 3, size, size }
x = scope("features", function()
  x = conv(x, "0", { channels(32), 3, stride = 2, pad = 1 })
  local at = 1
  for _, stage in ipairs(stages) do
    for i = 1, stage.n do
      x = scope(at .. ".conv", function()
        return inverted_residual(x, stage.t, channels(stage.c), i == 1 and stage.s or 1)
      end)
      at = at + 1
    end
  end
  return conv(x, tostring(at), { width > 1 and channels(1280) or 1280, 1 })
end)
return x:globalavgpool():flatten():dense { classes, name = "classifier.1" }
