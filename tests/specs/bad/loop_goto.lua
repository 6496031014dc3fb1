-- expect: ?
-- seconds: 0.2
::again:: goto again
