-- expect: ?
-- seconds: 0.2
local s = ('a'):rep(1 << 19)
s:find('[' .. ('b'):rep(1 << 19) .. ']')
