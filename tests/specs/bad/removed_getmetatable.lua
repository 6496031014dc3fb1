-- expect: removed_getmetatable.lua:2: 'getmetatable' is not available in a spec
getmetatable('').__index = nil
