-- expect: scope_number.lua:2: scope: '0' is not a name
scope(0, function() end)
