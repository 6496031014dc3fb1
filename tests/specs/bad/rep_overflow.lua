-- expect: rep_overflow.lua:2: string.rep: a string of more than 1 MB
local s = ('xx'):rep(1 << 62, 'y')
