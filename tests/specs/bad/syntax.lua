-- expect: ?
local x = = 1
