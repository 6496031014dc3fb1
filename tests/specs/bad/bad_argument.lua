-- expect: ?
local s = ('x'):rep('y')
