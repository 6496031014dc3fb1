-- A network of two layers, for looking at what becomes of it (see the README).
local classes = param("classes", 10)

local x = input { "image", 1, 28, 28 }                 -- channels, height, width

local y = x:conv { 8, 3, pad = 1, name = "conv1" }     -- 8 output channels, 3×3
           :relu()
           :maxpool { 2 }

return y:flatten():dense { classes, name = "fc" }:softmax()
