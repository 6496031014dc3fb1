-- VGG-16 (Simonyan and Zisserman, 2014, arXiv 1409.1556, table 1, column D): 3 x 3 convolutions, five pools.
-- The columns A, B and E are --set depth=11, 13 and 19. Weights named as in torchvision's `vgg16`; with
-- --set batchnorm=true as in its `vgg16_bn`. Its adaptive pool to 7 x 7 is left out: 224 x 224 comes to that.

local depth = param("depth", 16)                      -- layers with weights: 11, 13, 16 or 19
local batchnorm = param("batchnorm", false)           -- one after every convolution
local classes = param("classes", 1000)

local channels = { 64, 128, 256, 512, 512 }           -- of the convolutions before each pool
local counts = ({                                     -- and how many those are
  [11] = { 1, 1, 2, 2, 2 },
  [13] = { 2, 2, 2, 2, 2 },
  [16] = { 2, 2, 3, 3, 3 },
  [19] = { 2, 2, 4, 4, 4 },
})[depth]
assert(counts, "depth is 11, 13, 16 or 19")

local x = input { "image", 3, 224, 224 }

x = scope("features", function()
  local at = 0                                        -- place in torchvision's list, where relus and pools count
  for stage = 1, 5 do
    for _ = 1, counts[stage] do
      x = x:conv { channels[stage], 3, pad = 1, name = tostring(at) }
      if batchnorm then
        at = at + 1
        x = x:batchnorm { name = tostring(at) }
      end
      x = x:relu()
      at = at + 2
    end
    x = x:maxpool { 2 }
    at = at + 1
  end
  return x                                            -- 512 x 7 x 7
end)

return scope("classifier", function()
  return x:flatten()
          :dense { 4096, name = "0" }:relu()
          :dense { 4096, name = "3" }:relu()
          :dense { classes, name = "6" }
end)
