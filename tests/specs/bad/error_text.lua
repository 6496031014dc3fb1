-- expect: error_text.lua:3: no such width
local function f()
  error('no such width')
end
f()
