-- expect: ?
-- memory: 16
local t = {}
local s = ('x'):rep(1 << 19)
while true do t[#t + 1] = s .. #t end
