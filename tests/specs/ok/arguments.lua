-- Every way to write inputs and attributes.
local x = input { "x", 4, 9, 9.0 }
local a = x:conv { 8, 3, name = "by_place" }
local b = x:conv { out = 8, kernel = { 3, 3 }, name = "by_name" }
local c = conv(x, { 8, kernel = 3, stride = 1, dilation = { 1, 1 }, bias = true, groups = 4 })
local d = conv { x, 8, 3, pad = { 0, 0 } }
local e = x:conv { 8, 3, pad = { 1, 1, 2, 2 }, stride = { 2, 1 }, bias = false }
local f = x:conv { 8, 64 / 16, pad = 1 }
return { add(a, b), add { c, d }, concat { a, b, c }, a:concat(b), a:concat { b, c }, concat(a, b), e, f, a + b + c }
