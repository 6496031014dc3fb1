-- expect: input_empty.lua:2: input: a name, the channels and at most 3 extents expected: input { "name", channels, height, width }
return input {}
