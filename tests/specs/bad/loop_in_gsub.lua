-- expect: ?
-- seconds: 0.2
('x'):gsub('x', function() while true do end end)
