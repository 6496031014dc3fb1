-- expect: scope_deep.lua:2: scope: more than 64 scopes inside each other
local function f() return scope('a', f) end
f()
