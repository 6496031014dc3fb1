-- expect: ?
-- seconds: 0.2
table.move({}, math.mininteger, math.maxinteger, 2)
