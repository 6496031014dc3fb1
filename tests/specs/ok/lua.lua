-- The safe part of Lua's libraries works as usual.
local t = { 3, 1, 2 }
table.sort(t)
assert(table.concat(t, ",") == "1,2,3")
table.sort(t, function(a, b) return a > b end)
table.insert(t, 9)
table.insert(t, 1, 8)
assert(table.remove(t) == 9 and table.remove(t, 1) == 8 and table.unpack(t) == 3)
assert(select("#", table.unpack(table.move(t, 1, 3, 2))) == 4 and table.pack(1, nil).n == 2)
assert(("conv1"):match("%a+(%d)") == "1" and ("a.b"):gsub("%.", "_") == "a_b" and ("x"):rep(3, "-") == "x-x-x")
for a, b in ("k1=v1, k2=v2"):gmatch("(%w+)=(%w+)") do assert(a:sub(1, 1) == "k" and b:upper():byte() == 86) end
assert(("%5.2f|%s|%q"):format(math.pi, { 1 } and "x", "y") == " 3.14|x|\"y\"" and ("abc"):find("b", 1, true) == 2)
assert(utf8.len("äö") == 2 and utf8.char(228) == "ä" and tonumber("0x10") == 16 and math.tointeger(3.0) == 3)
do
  local x <const> = 5
  goto done
end
::done::
twice = function(f, ...) return f(f(...)) end
return twice(relu, input { "x", 1 })
