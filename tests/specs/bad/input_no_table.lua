-- expect: input_no_table.lua:2: input: expected as input { "name", channels, height, width }
return input('x', 1, 2, 3)
