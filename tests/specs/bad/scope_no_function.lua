-- expect: ?
scope('a')
