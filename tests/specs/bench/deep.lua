-- Residual blocks without end: what random weights make of values, with statistics of batch norms that fit and without.
local x = input { "image", 3, 16, 16 }

local function block(y, i)
    return scope("block" .. i, function()
        local z = y:conv { 16, 3, pad = 1, bias = false, name = "conv1" }:batchnorm { name = "bn1" }:relu()
        return (y + z:conv { 16, 3, pad = 1, bias = false, name = "conv2" }:batchnorm { name = "bn2" }):relu()
    end)
end

local y = x:conv { 16, 3, pad = 1, name = "stem" }:relu()
for i = 1, 20 do y = block(y, i) end
return y:globalavgpool():flatten():dense { 10, name = "fc" }
