-- expect: scope_long.lua:2: a name of more than 200 characters, scopes included
local function f() return scope('aaaaaaaaaa', f) end
f()
