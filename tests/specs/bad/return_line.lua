-- expect: ?
local x = input { "x", 4, 8, 8 }
local function f()
  return x
end
f()
return
  f
