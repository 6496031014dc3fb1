-- expect: recursion_sort.lua:2: nested too deep: brackets, blocks or calls through library functions
local function f() table.sort({ 1, 2 }, f) end
f()
