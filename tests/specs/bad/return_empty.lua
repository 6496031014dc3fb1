-- expect: ?

return {}
