-- expect: name_long_scope.lua:3: a name of more than 200 characters, scopes included
local x = input { "x", 4, 8, 8 }
return scope(('n'):rep(150), function() return x:relu { name = ('n'):rep(60) } end)
