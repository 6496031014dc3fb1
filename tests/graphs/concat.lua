local x = input { "x", 6, 5, 5 }
local a, b = x:conv { 16, 1 }, x:conv { 10, 1 }
local c = concat { a, b, a }
local d = concat { b, a, b }
local e = concat { c, d }
return { e:conv { 32, 3, pad = 1 }, e:maxpool { 2 }, c + c }
