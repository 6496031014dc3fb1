-- expect: inputs.lua:2: more than 20000 layers and weights
for i = 1, 1 << 60 do input { 'x' .. i, 1 } end
