-- expect: ?
return input { 'x', 1, 2, 3, 4, 5 }
