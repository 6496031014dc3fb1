-- expect: ?
return input { 'x', 3, 0/0 }
