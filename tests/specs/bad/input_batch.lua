-- expect: input_batch.lua:3: input: extent -2 of axis n is not in 1 … 1073741824
-- batch: -2
return input { 'x', 3 }
