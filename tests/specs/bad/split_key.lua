-- expect: split_key.lua:3: split: unknown key 'part' (it takes parts sizes axis name)
local x = input { "x", 4, 8, 8 }
return { x:split { part = 2 } }
