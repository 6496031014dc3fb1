-- expect: input_shape_place.lua:2: input: only a name beside shape expected: input { "name", channels, height, width }
return input { 'x', 3, shape = { 1, 3 } }
