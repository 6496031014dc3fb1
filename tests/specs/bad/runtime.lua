-- expect: runtime.lua:4: attempt to index a nil value (field 'x')
local t = {}

return t.x.y
