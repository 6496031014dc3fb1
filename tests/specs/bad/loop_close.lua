-- expect: loop_close.lua:4: the spec runs for more than 0.1 s
-- seconds: 0.1
local t <close> = nil
while true do end
