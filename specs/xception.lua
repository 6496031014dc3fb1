-- Xception (Chollet, 2016, arXiv 1610.02357, figure 5): separable convolutions in residual blocks.
-- Weights named as in the PyTorch port by T. Standley and R. Cadene.

local classes = param("classes", 1000)
local size = param("size", 299)                       -- height and width of the image

local function separable(x, name, channels)           -- 3 x 3 in each channel alone, then 1 x 1 across them
  return scope(name, function()
    return x:conv { x.channels, 3, pad = 1, groups = x.channels, bias = false, name = "conv1" }
            :conv { channels, 1, bias = false, name = "pointwise" }
  end)
end

-- Names count as in a list `rep` of relu, separable, norm, relu …, from `at` on; no relu first if that is 0.
local function body(x, widths, at)
  return scope("rep", function()
    for i, channels in ipairs(widths) do
      if i > 1 or at > 0 then x = x:relu() end
      x = separable(x, tostring(at), channels):batchnorm { name = tostring(at + 1) }
      at = at + 3
    end
    return x
  end)
end

-- With two separable convolutions that halve height and width, and a 1 x 1 convolution for shortcut
local function halving(x, name, widths, at)
  return scope(name, function()
    local skip = x:conv { widths[2], 1, stride = 2, bias = false, name = "skip" }:batchnorm { name = "skipbn" }
    return body(x, widths, at):maxpool { 3, stride = 2, pad = 1 } + skip
  end)
end

local function middle(x, name)
  return scope(name, function() return body(x, { 728, 728, 728 }, 1) + x end)
end

local x = input { "image", 3, size, size }
x = x:conv { 32, 3, stride = 2, bias = false, name = "conv1" }:batchnorm { name = "bn1" }:relu()
     :conv { 64, 3, bias = false, name = "conv2" }:batchnorm { name = "bn2" }:relu()  -- 64 x 147 x 147
x = halving(x, "block1", { 128, 128 }, 0)             -- 128 x 74 x 74
x = halving(x, "block2", { 256, 256 }, 1)             -- 256 x 37 x 37
x = halving(x, "block3", { 728, 728 }, 1)             -- 728 x 19 x 19
for i = 4, 11 do x = middle(x, "block" .. i) end
x = halving(x, "block12", { 728, 1024 }, 1)           -- 1024 x 10 x 10
x = separable(x, "conv3", 1536):batchnorm { name = "bn3" }:relu()
x = separable(x, "conv4", 2048):batchnorm { name = "bn4" }:relu()
return x:globalavgpool():flatten():dense { classes, name = "fc" }
