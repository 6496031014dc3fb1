-- expect: --set clases=4: set_unused.lua has no param("clases"); did you mean 'classes'?
-- set: classes=3
-- set: clases=4
-- kind: usage
local n = param('classes', 10)
return input { 'x', n }
