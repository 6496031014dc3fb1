-- A node has the line where its method's name stands, though Lua gives the whole chain one line.
local x = input { "x", 3, 8, 8 }
local y = x
  :conv { 8, 3 }
  :relu():concat {
    x:conv {
      8,
      3,
    },
    x:conv { 8, 3 },
  }
  :relu()
return y
  + y
