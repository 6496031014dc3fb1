-- expect: input_type.lua:2: input: type = 'f16': one of f32, i64, i32, u8, bool expected
return input { 'x', 3, type = 'f16' }
