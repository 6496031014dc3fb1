-- expect: loop_goto.lua:3: the spec runs for more than 0.1 s
-- seconds: 0.1
::again:: goto again
