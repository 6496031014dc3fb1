-- expect: ?
return input { 'x', 1, h = 3 }
