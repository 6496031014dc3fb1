-- expect: ?
local function f() return scope('aaaaaaaaaa', f) end
f()
