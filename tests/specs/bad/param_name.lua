-- expect: ?
param('a b', 1)
