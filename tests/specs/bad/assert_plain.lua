-- expect: ?
assert(false)
