-- expect: ?
return input { "x", 1 << 30, 1 << 30, 1 << 30 }
