-- expect: ?
local x = input { "x", 4, 8, 8 }
return x
  :relu()
  :conv { 8, 3, Pad = 2 }
