-- Names: scopes nest, numbers inside; results and arguments go through; counters belong to a scope.
local x = input { "x", 4, 8, 8 }
local function block(x, channels)
  local y = x:conv { channels, 3, pad = 1, name = "conv1" }:relu()
  return y:conv { channels, 3, pad = 1, name = "conv2" }:relu() + x, channels
end
local channels
for stage = 1, 2 do
  scope("layer" .. stage, function()
    for i = 0, 1 do x, channels = scope(i, block, x, 4) end
  end)
end
assert(channels == 4 and x.channels == 4 and x.name == "layer2.1.add_1", x.name)
x = scope("head.a", function() return x:relu() end)
scope("layer2", function() x = x:relu() end)
local taken = x:relu { name = "relu_1" }
return taken:relu()
