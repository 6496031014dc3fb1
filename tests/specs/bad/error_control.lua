-- expect: ?
error('a\nb\27[31mc')
