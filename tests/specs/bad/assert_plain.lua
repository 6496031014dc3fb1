-- expect: assert_plain.lua:2: assertion failed!
assert(false)
