-- expect: move_negative.lua:3: a list of more than 16777216 elements
-- seconds: 0.1
table.move({}, math.mininteger, math.maxinteger, 2)
