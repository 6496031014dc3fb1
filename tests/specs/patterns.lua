-- Compares find, match, gmatch, gsub and rep of the front end with Lua's own on random texts and patterns.
-- Run by tests/test_spec.c in a state with all of Lua's libraries.
local mine, theirs = ...
math.randomseed(7)
local pieces = { 'a', 'b', '.', '%a', '%d', '%S', '%w', '%b()', '%bab', '%f[a]', '%f[^%a]', '[ab]', '[^a]', '[a-b%d]',
  '[]]', '[^]', '[a-', '[%a-z]', '(', ')', '()', '%1', '%2', '*', '+', '-', '?', '$', '^', '%', '%%', '%.', '%b', '%f', ']', '0', '\0' }
local function text(from, n)
  local t = {}
  for i = 1, math.random(0, n) do t[i] = from[math.random(#from)] end
  return table.concat(t)
end
local letters = { 'a', 'b', 'a', '(', ')', '0', ' ', '\0', 'B' }
local templates = { '', '<%0>', '%1', '%2', '%%', '%', 'x%1y%0', '%9', '%a' }
local function all(lib, name, ...)
  if name ~= 'gmatch' then return table.pack(pcall(lib[name], ...)) end
  local r = {}
  local ok, e = pcall(function(...) for a, b in lib.gmatch(...) do r[#r + 1] = a; r[#r + 1] = tostring(b) end end, ...)
  r[#r + 1] = ok; r[#r + 1] = e
  return r
end
-- Places differ, and the names by which Lua's messages call the functions.
local function plain(v) return type(v) == 'string' and v:gsub('^[^ ]*:%d+: ', ''):gsub("to '[^']*'", '') or v end
local function same(name, ...)
  local a, b = all(mine, name, ...), all(theirs, name, ...)
  for i = 1, math.max(#a, #b, a.n or 0, b.n or 0) do
    if plain(a[i]) ~= plain(b[i]) then
      error(string.format('%s(%q, %q, %q): %s, should be %s', name, ..., (select(2, ...)), tostring((select(3, ...))), tostring(a[i]), tostring(b[i])))
    end
  end
  return b[1]
end
local tables = { a = 'A', ab = 1, b = false, ['('] = {} }
local function call(a, b) if a == 'a' then return nil end return b or a end
local good = 0
for i = 1, 60000 do
  local s, p, init = text(letters, 12), text(pieces, 6), math.random(-14, 14)
  if same('find', s, p, init) then good = good + 1 end
  same('find', s, p, init, true)
  same('match', s, p, init)
  same('gmatch', s, p, init)
  same('gsub', s, p, templates[math.random(#templates)], math.random(-1, 5))
  same('gsub', s, p, tables)
  same('gsub', s, p, call)
  same('rep', s, math.random(-1, 4), math.random(2) == 1 and text(letters, 3) or nil)
end
same('find', ('a'):rep(300), ('a?'):rep(199))
same('find', ('a'):rep(300), ('a?'):rep(201))
same('match', ('a'):rep(40), ('(a)'):rep(32))
same('match', ('a'):rep(40), ('(a)'):rep(33))
same('gsub', 'x', 'x', true)
same('gsub', 'x', nil, 'y')
same('gsub', 'x')
same('find', nil, 'y')
assert(good > 10000, good)
