-- expect: ?
return relu {}
