-- expect: ?
-- seconds: 0.2
local t <close> = nil
while true do end
