-- expect: input_axes.lua:2: input: axes = 'nchw': a letter for each of 2 axes expected
return input { 'x', 3, axes = 'nchw' }
