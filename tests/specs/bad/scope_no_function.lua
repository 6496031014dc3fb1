-- expect: scope_no_function.lua:2: scope: a function expected after the name; nothing came
scope('a')
