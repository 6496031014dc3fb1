-- expect: removed_coroutine.lua:2: 'coroutine' is not available in a spec
coroutine.wrap(function() end)()
