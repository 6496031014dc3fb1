-- expect: ?
for i = 1, 1 << 60 do param('x' .. i, 1) end
