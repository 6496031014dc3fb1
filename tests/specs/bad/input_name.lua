-- expect: ?
return input { '9', 3 }
