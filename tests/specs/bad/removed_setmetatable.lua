-- expect: removed_setmetatable.lua:2: 'setmetatable' is not available in a spec
setmetatable({}, { __gc = function() while true do end end })
