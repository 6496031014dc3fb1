-- expect: ?
_ENV = {}
return input
