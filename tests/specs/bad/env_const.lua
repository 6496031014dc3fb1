-- expect: ?
local _ENV <const> = 1
return x.y
