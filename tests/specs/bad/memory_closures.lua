-- expect: memory_closures.lua:4: the spec uses more than 16 MB
-- memory: 16
local t
while true do local u = t; t = function() return u end end
