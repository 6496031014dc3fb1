-- expect: ?
debug.sethook()
