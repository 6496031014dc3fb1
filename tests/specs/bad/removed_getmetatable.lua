-- expect: ?
getmetatable('').__index = nil
