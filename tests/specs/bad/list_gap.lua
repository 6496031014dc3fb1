-- expect: list_gap.lua:3: concat: nil in place 2 of the braces
local x = input { "x", 4, 8, 8 }
return concat { x, nil, nil, x }
