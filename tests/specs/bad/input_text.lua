-- expect: ?
return input { 'x', '3', 28 }
