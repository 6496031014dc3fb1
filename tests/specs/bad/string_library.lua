-- expect: string_library.lua:3: attempt to call a nil value (method 'format')
string.format = nil
return ('%d'):format(3)
