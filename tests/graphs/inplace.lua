-- Results in the memory of an operand, and operands that must keep theirs.
local x = input { "x", 24, 9, 9 }
local function block(x, name) -- a residual with a halo for the next block
    return (x:conv { 24, 3, pad = 1, name = name .. ".a" }:relu():conv { 24, 3, pad = 1, name = name .. ".b" } + x):relu()
end
local a = block(x:conv { 24, 1, name = "stem" }:relu(), "one")
local b = block(a, "two")
local kept = b:conv { 24, 1, name = "side" }        -- b is read again behind its residual
local c = (b:conv { 24, 1, name = "branch" } + b):tanh()
local chain = (c * b):conv { 24, 1, name = "mix" }:softmax { axis = 1 }:layernorm { name = "ln" }
local twice = chain + chain                         -- one operand, both sides
local early = kept:sigmoid()                        -- an output of the network
return { (twice + early):avgpool { 3 }, early }
