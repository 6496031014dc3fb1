-- expect: bytes.lua:3: attempt to call a nil value (method 'bad')
local s = '\0\255'
return s:bad()
