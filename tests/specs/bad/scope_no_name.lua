-- expect: scope_no_name.lua:2: scope: a name expected first, as in scope("layer1", function() … end); a function came
scope(function() end)
