-- expect: ?
table.sort({ 1, 'x' })
