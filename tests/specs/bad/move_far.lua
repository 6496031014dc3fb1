-- expect: ?
-- seconds: 0.2
table.move({}, 1, 1 << 60, 2)
