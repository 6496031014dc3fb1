-- expect: param_no_name.lua:2: param: a name expected, as in param("classes", 10); a number came
param(1, 1)
