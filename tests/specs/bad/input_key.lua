-- expect: input_key.lua:2: input: no keys and no gaps expected: input { "name", channels, height, width }
return input { 'x', 1, h = 3 }
