-- expect: input_shape_list.lua:2: input: shape: a list of integers expected; a number came
return input { 'x', shape = 3 }
