-- expect: type_wrong.lua:2: input: type = 'int64': one of f32, i64, i32, u8, bool expected
local x = input { "x", 4, 8, 8, type = "int64" }
return x
