-- expect: syntax_end.lua:5: 'end' expected (to close 'do' at line 2) near <eof>
do

local x = 1
