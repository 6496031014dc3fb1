-- expect: ?
error()
