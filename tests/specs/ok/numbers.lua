local x = input { "x", 2, 3, 3 }
local a = (1 - x) * 2 + x / 4                 -- numbers on either side
local b = x ^ 2 + 2 ^ x                       -- pow
local c = x:pow(0.5):max(0):min { 6 }         -- as methods, in brackets or braces
local d = max(0, min { x, 1 / 3 })
local e = slope(x, 0.25)
return { a, b, c, d, e, x * -0x1p-126 }
