-- set: width=32
-- set: width=24
-- set: scale=0.5
-- set: act=relu6
-- set: bias=false
-- set: half=3
-- batch: 4
local width, scale, act = param("width", 16), param("scale", 1.0), param("act", "relu")
assert(math.type(width) == "integer" and math.type(scale) == "float")
assert(math.type(param("half", 1.5)) == "float" and param("unset", "default") == "default")
local x = input { "x", 3, 8 }
local y = x:conv { width * scale, 3, bias = param("bias", true) }
return y[act](y)
