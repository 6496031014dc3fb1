-- expect: env_const.lua:3: attempt to index a number value
local _ENV <const> = 1
return x.y
