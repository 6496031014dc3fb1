-- expect: nodes.lua:3: more than 20000 layers and weights
local x = input { "x", 4, 8, 8 }
while true do x = x:relu() end
