-- The network of ../shared/data/safetensors/jq_cnn_mnist.safetensors, by the names and shapes of its weights; its input
-- is (pixel/255 - 0.1307)/0.3081.
local x = input { "image", 1, 28, 28 }

local y = x:maxpool { 2 }
           :conv { 10, 3, pad = 1, name = "conv1" }
           :relu()
           :maxpool { 2 }

return y:flatten():dense { 10, name = "fc1" }
