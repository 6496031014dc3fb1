-- expect: ?
return input { 'x', 3, -1, 28 }
