-- expect: ?
-- seconds: 0.2
for i = 1, 1 << 62 do end
