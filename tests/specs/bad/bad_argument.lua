-- expect: bad_argument.lua:2: bad argument #1 to 'rep' (number expected, got string)
local s = ('x'):rep('y')
