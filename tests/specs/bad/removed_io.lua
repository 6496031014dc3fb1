-- expect: removed_io.lua:2: 'io' is not available in a spec
io.open('/etc/passwd')
