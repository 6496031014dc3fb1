-- expect: param_table.lua:2: param: a default expected for 'n': a number, a string or true or false; a table came
param('n', {})
