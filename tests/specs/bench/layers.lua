-- The layers whose speed is watched: 3×3 64→64 and 1×1 256→64 at 56×56, and their neighbours in residual
-- networks, each read from an input of its own (lunette bench tests/specs/bench/layers.lua --seed 1).
local function layer(name, c, size, out, kernel, stride)
    local x = input { name .. "_x", c, size, size }
    return x:conv { out, kernel, stride = stride, pad = kernel // 2, name = name }:relu()
end
return {
    c3_64_56 = layer("c3_64_56", 64, 56, 64, 3),
    c1_256_64_56 = layer("c1_256_64_56", 256, 56, 64, 1),
    c3_128_28 = layer("c3_128_28", 128, 28, 128, 3),
    c3_256_14 = layer("c3_256_14", 256, 14, 256, 3),
    c3_512_7 = layer("c3_512_7", 512, 7, 512, 3),
    c1_512_2048_7 = layer("c1_512_2048_7", 512, 7, 2048, 1),
    c3_64_128_s2 = layer("c3_64_128_s2", 64, 56, 128, 3, 2),
    c7_3_64_s2 = layer("c7_3_64_s2", 3, 224, 64, 7, 2),
}
