-- expect: ?
scope(function() end)
