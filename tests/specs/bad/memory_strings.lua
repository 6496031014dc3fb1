-- expect: memory_strings.lua:5: the spec uses more than 16 MB
-- memory: 16
local t = {}
local s = ('x'):rep(1 << 19)
while true do t[#t + 1] = s .. #t end
