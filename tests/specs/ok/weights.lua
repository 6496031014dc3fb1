-- weights as values, inputs with their whole shape, outputs in the order written
local x = input { "x", shape = { 2, 3, 6, 6 } }
local n = input { "count", shape = {}, type = "i64" }
local flags = input { "flags", shape = { 4 }, type = "bool" }
local w = weight { "kernel", 3, 3, 3, 3, axes = "ochw" }
local a = scope("a", function() return x:conv(w, weight { "bias", 3, axes = "o" }, { 3, 3, pad = 1, name = "conv" }) end)
local b = conv(a, w, { 3, 3, pad = 1, bias = false })
return { { "z", b * weight { "scale", 3, 1, 1 } }, { "b", b }, { "count", n }, { "flags", flags } }
