-- expect: scope_name.lua:2: scope: 'a b' is not a name
scope('a b', function() end)
