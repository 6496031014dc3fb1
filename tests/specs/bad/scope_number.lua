-- expect: ?
scope(0, function() end)
