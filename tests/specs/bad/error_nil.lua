-- expect: error_nil.lua:2: error() wants a message; nil came
error()
