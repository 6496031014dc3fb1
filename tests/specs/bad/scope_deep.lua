-- expect: ?
local function f() return scope('a', f) end
f()
