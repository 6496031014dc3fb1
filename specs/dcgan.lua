-- The generator of DCGAN (Radford et al., 2015, arXiv 1511.06434, figure 1): noise becomes an image of 64 x 64
-- by five transposed convolutions. Weights named as in PyTorch's example "dcgan": a list `main`.

local noise = param("noise", 100)
local width = param("width", 64)                      -- channels before the last layer
local channels = param("channels", 3)                 -- of the image

local x = input { "noise", noise, 1, 1 }
return scope("main", function()
  local function up(x, at, out, stride, pad)
    return x:convtranspose { out, 4, stride = stride, pad = pad, bias = false, name = tostring(at) }
            :batchnorm { name = tostring(at + 1) }:relu()
  end
  x = up(x, 0, 8 * width, 1, 0)                       -- 512 x 4 x 4
  x = up(x, 3, 4 * width, 2, 1)                       -- 256 x 8 x 8
  x = up(x, 6, 2 * width, 2, 1)                       -- 128 x 16 x 16
  x = up(x, 9, width, 2, 1)                           -- 64 x 32 x 32
  return x:convtranspose { channels, 4, stride = 2, pad = 1, bias = false, name = "12" }:tanh()
end)
