-- expect: params.lua:2: param: more than 256 names
for i = 1, 1 << 60 do param('x' .. i, 1) end
