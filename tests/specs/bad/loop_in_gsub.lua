-- expect: loop_in_gsub.lua:3: the spec runs for more than 0.1 s
-- seconds: 0.1
('x'):gsub('x', function() while true do end end)
