-- Fields, texts, and that pairs and math.random are the same in every run.
local x = input { "x", 3, 8, 9 }
assert(#x.shape == 4 and x.shape[1] == 1 and x.shape[2] == 3 and x.shape[3] == 8 and x.shape[4] == 9)
assert(x.channels == 3 and x.name == "x" and tostring(x) == "tensor x [n1 c3 h8 w9]", tostring(x))
assert(x == x and x ~= x:relu() and type(x) == "userdata")
local keys = {}
for k, v in pairs { z = 1, b = 2, a = 3, 5, 6, [2.5] = 7, [-1] = 8, gone = nil } do keys[#keys + 1] = k .. "=" .. v end
assert(table.concat(keys, " ") == "-1=8 1=5 2=6 2.5=7 a=3 b=2 z=1", table.concat(keys, " "))
local t = { a = 1, b = 2, c = 3 }
for k in pairs(t) do t[k], t.b = nil, nil end
assert(next(t) == nil)
local step = pairs { 7 }
assert(step(nil) == 1 and step(3) == nil and step(x) == nil)
return x:conv { math.random(1, 64), 1 }
