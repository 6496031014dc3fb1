-- expect: ?
string.format = nil
return ('%d'):format(3)
