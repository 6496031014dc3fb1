-- expect: removed_require.lua:2: 'require' is not available in a spec
require 'os'
