-- expect: memory_format.lua:3: a string of more than 1 MB
local s = ('x'):rep(1 << 20)
local t = ('%s%s'):format(s, s)
