-- expect: ?
coroutine.wrap(function() end)()
