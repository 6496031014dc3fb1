-- expect: ?
io.open('/etc/passwd')
