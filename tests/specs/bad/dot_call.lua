-- expect: dot_call.lua:3: relu: 1 tensor expected, 0 given (a method is called with a colon)
local x = input { "x", 4, 8, 8 }
return x.relu()
