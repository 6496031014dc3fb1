-- expect: ?
local x = input { "x", 4, 8, 8 }
while true do x = x:relu() end
