-- expect: --batch 2: all inputs of batch_whole.lua have their whole shape
-- kind: usage
-- batch: 2
return input { 'x', shape = { 1, 3 } }
