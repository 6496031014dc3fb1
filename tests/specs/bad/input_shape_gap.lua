-- expect: input_shape_gap.lua:2: input: shape: a plain list of integers expected
return input { 'x', shape = { 1, h = 2 } }
