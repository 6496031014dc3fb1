-- Inception v3 (Szegedy et al., 2015, arXiv 1512.00567, table 1), without the auxiliary classifier.
-- Weights named as in torchvision's `inception_v3`. Those it publishes want --set transform=true, which takes
-- an image normalised with ImageNet's means and deviations, as for its other networks, to -1 … 1.

local transform = param("transform", false)
local classes = param("classes", 1000)
local size = param("size", 299)                       -- height and width of the image

-- A convolution with batch norm and relu; as large as its input unless it says "valid" and a stride.
local function conv(x, name, channels, kernel, pad, stride)
  return scope(name, function()
    return x:conv { channels, kernel, pad = pad or "same", stride = stride or 1, bias = false, name = "conv" }
            :batchnorm { eps = 0.001, name = "bn" }:relu()
  end)
end

-- One after the other: NAME_1, NAME_2 …, each { channels, kernel, pad, stride }
local function chain(x, name, ...)
  for i, layer in ipairs { ... } do x = conv(x, name .. "_" .. i, table.unpack(layer)) end
  return x
end

local function pooled(x, channels)
  return conv(x:avgpool { 3, stride = 1, pad = 1 }, "branch_pool", channels, 1)
end

local function inception_a(x, pool)                   -- figure 5 of the paper: 5 x 5 as two 3 x 3
  return concat {
    conv(x, "branch1x1", 64, 1),
    chain(x, "branch5x5", { 48, 1 }, { 64, 5 }),
    chain(x, "branch3x3dbl", { 64, 1 }, { 96, 3 }, { 96, 3 }),
    pooled(x, pool),
  }
end

local function inception_b(x)                         -- halves height and width
  return concat {
    conv(x, "branch3x3", 384, 3, "valid", 2),
    chain(x, "branch3x3dbl", { 64, 1 }, { 96, 3 }, { 96, 3, "valid", 2 }),
    x:maxpool { 3, stride = 2 },
  }
end

local row, column = { 1, 7 }, { 7, 1 }
local function inception_c(x, c)                      -- figure 6: 7 x 7 as rows and columns
  return concat {
    conv(x, "branch1x1", 192, 1),
    chain(x, "branch7x7", { c, 1 }, { c, row }, { 192, column }),
    chain(x, "branch7x7dbl", { c, 1 }, { c, column }, { c, row }, { c, column }, { 192, row }),
    pooled(x, 192),
  }
end

local function inception_d(x)                         -- halves height and width
  return concat {
    chain(x, "branch3x3", { 192, 1 }, { 320, 3, "valid", 2 }),
    chain(x, "branch7x7x3", { 192, 1 }, { 192, row }, { 192, column }, { 192, 3, "valid", 2 }),
    x:maxpool { 3, stride = 2 },
  }
end

local function inception_e(x)                         -- figure 7: a row and a column beside each other
  local single = conv(x, "branch3x3_1", 384, 1)
  local double = chain(x, "branch3x3dbl", { 448, 1 }, { 384, 3 })
  return concat {
    conv(x, "branch1x1", 320, 1),
    conv(single, "branch3x3_2a", 384, { 1, 3 }), conv(single, "branch3x3_2b", 384, { 3, 1 }),
    conv(double, "branch3x3dbl_3a", 384, { 1, 3 }), conv(double, "branch3x3dbl_3b", 384, { 3, 1 }),
    pooled(x, 192),
  }
end

local function mixed(x, name, module, width)
  return scope(name, function() return module(x, width) end)
end

local x = input { "image", 3, size, size }
if transform then
  local r, g, b = x:split { 3 }
  x = concat { r * (0.229 / 0.5) + (0.485 - 0.5) / 0.5, g * (0.224 / 0.5) + (0.456 - 0.5) / 0.5, b * (0.225 / 0.5) + (0.406 - 0.5) / 0.5 }
end
x = conv(x, "Conv2d_1a_3x3", 32, 3, "valid", 2)       -- 32 x 149 x 149
x = conv(x, "Conv2d_2a_3x3", 32, 3, "valid")
x = conv(x, "Conv2d_2b_3x3", 64, 3):maxpool { 3, stride = 2 }          -- 64 x 73 x 73
x = conv(x, "Conv2d_3b_1x1", 80, 1)
x = conv(x, "Conv2d_4a_3x3", 192, 3, "valid"):maxpool { 3, stride = 2 } -- 192 x 35 x 35
x = mixed(x, "Mixed_5b", inception_a, 32)             -- 256 x 35 x 35
x = mixed(x, "Mixed_5c", inception_a, 64)
x = mixed(x, "Mixed_5d", inception_a, 64)             -- 288 x 35 x 35
x = mixed(x, "Mixed_6a", inception_b)                 -- 768 x 17 x 17
x = mixed(x, "Mixed_6b", inception_c, 128)
x = mixed(x, "Mixed_6c", inception_c, 160)
x = mixed(x, "Mixed_6d", inception_c, 160)
x = mixed(x, "Mixed_6e", inception_c, 192)
x = mixed(x, "Mixed_7a", inception_d)                 -- 1280 x 8 x 8
x = mixed(x, "Mixed_7b", inception_e)                 -- 2048 x 8 x 8
x = mixed(x, "Mixed_7c", inception_e)
return x:globalavgpool():flatten():dense { classes, name = "fc" }
