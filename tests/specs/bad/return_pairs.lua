-- expect: return_pairs.lua:3: each output must be a name and a tensor (return { { "boxes", b }, { "scores", s } }); number 2 is not
local x = input { 'x', 3 }
return { { 'a', x }, { x, 'b' } }
