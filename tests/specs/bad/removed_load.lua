-- expect: removed_load.lua:2: 'load' is not available in a spec
load('return 1')()
