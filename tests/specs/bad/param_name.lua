-- expect: param_name.lua:2: param: 'a b' is not a name
param('a b', 1)
