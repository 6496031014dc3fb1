-- expect: recursion_gsub.lua:2: nested too deep: brackets, blocks or calls through library functions
local function f() return ('x'):gsub('x', f) end
f()
