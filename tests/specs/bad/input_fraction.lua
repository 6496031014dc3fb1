-- expect: ?
return input { 'x', 3, 2.5 }
