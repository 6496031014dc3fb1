-- expect: ?
param(1, 1)
