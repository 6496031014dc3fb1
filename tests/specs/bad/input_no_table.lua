-- expect: ?
return input('x', 1, 2, 3)
