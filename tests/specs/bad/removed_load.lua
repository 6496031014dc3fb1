-- expect: ?
load('return 1')()
