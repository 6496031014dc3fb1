-- expect: error_level_2.lua:4: caller
local function f() error('caller', 2) end

f()
