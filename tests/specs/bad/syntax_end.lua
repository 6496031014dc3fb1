-- expect: ?
do

local x = 1
