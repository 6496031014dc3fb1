-- AlexNet (Krizhevsky, 2014, "One weird trick", arXiv 1404.5997): five convolutions, three dense layers.
-- One column instead of the two of 2012, no response normalisation; weights named as in torchvision's `alexnet`.
-- Its adaptive pool to 6 x 6 is left out: at 224 x 224 the extents are 6 x 6 already.

local classes = param("classes", 1000)
local x = input { "image", 3, 224, 224 }

x = scope("features", function()
  return x:conv { 64, 11, stride = 4, pad = 2, name = "0" }:relu():maxpool { 3, stride = 2 }  -- 64 x 27 x 27
          :conv { 192, 5, pad = 2, name = "3" }:relu():maxpool { 3, stride = 2 }              -- 192 x 13 x 13
          :conv { 384, 3, pad = 1, name = "6" }:relu()
          :conv { 256, 3, pad = 1, name = "8" }:relu()
          :conv { 256, 3, pad = 1, name = "10" }:relu():maxpool { 3, stride = 2 }             -- 256 x 6 x 6
end)

return scope("classifier", function()                 -- dropouts are 0 and 3
  return x:flatten()
          :dense { 4096, name = "1" }:relu()
          :dense { 4096, name = "4" }:relu()
          :dense { classes, name = "6" }
end)
