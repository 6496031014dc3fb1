-- An input that is copied into a concat's memory (x.part, with the concat's halo of -inf) and read with a halo of zeros:
-- a layer needs a copy of its own, whose blocks also suit its groups.
local x = input { "x", 3, 8, 8 }
local z = input { "z", 6, 8, 8 }
local y = input { "y", 32, 8, 8 }
return {
    pool = concat { x, x:tanh() }:maxpool { 3, stride = 1, pad = 1 },
    conv = x:conv { 4, 3, pad = 1, name = "conv" },
    mixed = concat { z, concat { y, z:tanh() } }:conv { 12, 3, name = "mixed" },
    groups = z:conv { 2, 3, pad = 1, groups = 2, name = "groups" },
}
