-- expect: ?
-- seconds: 0.2
table.unpack({}, 1, 1 << 40)
