-- expect: ?
return frobnicate(1)
