-- expect: ?
-- memory: 16
local t
while true do local u = t; t = function() return u end end
