-- expect: pattern_bad.lua:2: malformed pattern (missing ']')
('a'):match('[a')
