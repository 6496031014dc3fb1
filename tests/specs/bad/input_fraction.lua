-- expect: input_fraction.lua:2: input: an integer expected for an extent (place 3); a fraction came
return input { 'x', 3, 2.5 }
