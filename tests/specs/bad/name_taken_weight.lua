-- expect: ?
local x = input { "x", 4, 8, 8 }
local y = x:conv { 8, 3, name = 'a' }
return y:tanh { name = 'a.weight' }
