-- expect: input_negative.lua:2: input: extent -1 of axis h is not in 1 … 1073741824
return input { 'x', 3, -1, 28 }
