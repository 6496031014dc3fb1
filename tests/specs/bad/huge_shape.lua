-- expect: huge_shape.lua:2: input: a tensor of more than 2^40 elements
return input { "x", 1 << 30, 1 << 30, 1 << 30 }
