-- expect: ?
for i = 1, 1 << 60 do input { 'x' .. i, 1 } end
