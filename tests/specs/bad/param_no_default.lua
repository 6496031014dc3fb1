-- expect: ?
param('n')
