-- expect: no_tensor.lua:2: relu: 1 tensor expected, 0 given (a method is called with a colon)
return relu {}
