-- expect: no_places.lua:3: relu: takes no attribute by place
local x = input { "x", 4, 8, 8 }
return x:relu { 3 }
