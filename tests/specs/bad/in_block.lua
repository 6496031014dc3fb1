-- expect: in_block.lua:4: conv: kernel is not given (kernel extents, [d] h w)
local x = input { "x", 4, 8, 8 }
local function block(x)
  return x:conv { 8 }
end
return block(x)
