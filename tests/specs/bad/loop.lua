-- expect: ?
-- seconds: 0.2
while true do end
