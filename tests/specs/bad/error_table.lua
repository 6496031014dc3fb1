-- expect: ?
error({})
