-- expect: ?
-- seconds: 0.2
local function f() return f() end
f()
