-- expect: return_line.lua:8: the spec must return a tensor or a table of them (return y, return { a, b } or return { boxes = b, scores = s }); it returns a function
local x = input { "x", 4, 8, 8 }
local function f()
  return x
end
f()
return
  f
