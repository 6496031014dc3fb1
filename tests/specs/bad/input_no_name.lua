-- expect: ?
return input { 1, 28, 28 }
