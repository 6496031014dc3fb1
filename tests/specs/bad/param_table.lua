-- expect: ?
param('n', {})
