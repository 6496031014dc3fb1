-- expect: error_control.lua:2: a?b?[31mc
error('a\nb\27[31mc')
