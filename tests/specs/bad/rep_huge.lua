-- expect: rep_huge.lua:2: string.rep: a string of more than 1 MB
local s = ('x'):rep(1e9)
