-- expect: nil_value.lua:4: attempt to index a nil value (local 'y')
local x = input { "x", 4, 8, 8 }
local y
return y:relu()
