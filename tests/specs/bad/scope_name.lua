-- expect: ?
scope('a b', function() end)
