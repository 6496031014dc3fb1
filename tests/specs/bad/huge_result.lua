-- expect: ?
return input { "x", 1, 1 << 15, 1 << 15 }:conv { 1 << 24, 1 }
