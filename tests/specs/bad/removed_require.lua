-- expect: ?
require 'os'
