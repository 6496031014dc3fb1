-- expect: input_twice.lua:3: input: the name 'x' is taken since line 2
local a = input { 'x', 3 }
return input { 'x', 3 }
