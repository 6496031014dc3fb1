-- expect: recursion_tail.lua:3: the spec runs for more than 0.1 s
-- seconds: 0.1
local function f() return f() end
f()
