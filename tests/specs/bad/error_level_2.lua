-- expect: ?
local function f() error('caller', 2) end

f()
