-- expect: loop_for.lua:3: the spec runs for more than 0.1 s
-- seconds: 0.1
for i = 1, 1 << 62 do end
