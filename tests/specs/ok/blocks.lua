local x = input { "x", 8, 10, 10 }
local a, b = x:split { 2 }                                   -- channels, equal parts
local c, d = split(x, { sizes = { 3, 7 }, axis = -1, name = "columns" })
local e = scope("block", function()
  return x
    :separable { 16, 3, pad = 1 }                            -- on this line
    :separable { out = 4, kernel = { 3, 1 }, multiplier = 2, stride = 2, bias = false, name = "last" }
end)
return { a + b, c, d, e }
