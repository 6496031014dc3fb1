-- expect: error_table.lua:2: error() wants a message; a table came
error({})
