-- expect: input_key.lua:2: input: unknown key 'h' (it takes shape, type, axes)
return input { 'x', 1, h = 3 }
