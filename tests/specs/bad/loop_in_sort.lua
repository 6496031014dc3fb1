-- expect: loop_in_sort.lua:3: the spec runs for more than 0.1 s
-- seconds: 0.1
table.sort({ 1, 2, 3 }, function() while true do end end)
