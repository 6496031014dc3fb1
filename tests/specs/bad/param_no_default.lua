-- expect: param_no_default.lua:2: param: a default expected for 'n': a number, a string or true or false; nothing came
param('n')
