-- expect: ?
local s = '\0\255'
return s:bad()
