-- expect: ?
return input {}
