-- expect: gather_floats.lua:3: gather: the index is f32[n1 c3], but i64, i32 or u8 are needed
local x, at = input { "x", 4 }, input { "at", 3 }
return x:gather { at, axis = 1 }
