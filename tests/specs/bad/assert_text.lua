-- expect: ?
assert(nil, 'classes must be even')
