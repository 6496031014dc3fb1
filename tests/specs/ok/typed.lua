local ids = input { "ids", 5, type = "i64" }                 -- [batch, 5]
local mask = input { "mask", 5, 4, type = "bool" }
local table_ = weight { "table", 100, 4 }
local count = input { "count", shape = {}, type = "i32" }
local x = table_:gather(ids)                                 -- [batch, 5, 4]
local y = x * mask:cast { "f32" }
return { rows = x, masked = y, best = y:argmax { 2 }, half = count:cast { "f32" } / 2, big = mask:cast { "u8" } }
