-- expect: ?
local function f()
  error('no such width')
end
f()
