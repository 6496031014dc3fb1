-- expect: ?
local a = input { 'x', 3 }
return input { 'x', 3 }
