-- expect: huge_result.lua:2: conv: a tensor of more than 2^40 elements
return input { "x", 1, 1 << 15, 1 << 15 }:conv { 1 << 24, 1 }
