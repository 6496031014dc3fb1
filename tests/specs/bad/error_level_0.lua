-- expect: ?

error('no place', 0)
