-- expect: removed_debug.lua:2: 'debug' is not available in a spec
debug.sethook()
