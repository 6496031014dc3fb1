-- expect: ?
-- seconds: 0.2
table.concat({}, '', 1, 1 << 60)
