-- expect: input_shape_fraction.lua:2: input: an integer expected for an extent (shape, place 2); a fraction came
return input { 'x', shape = { 1, 2.5 } }
