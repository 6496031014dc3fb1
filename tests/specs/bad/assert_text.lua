-- expect: assert_text.lua:2: classes must be even
assert(nil, 'classes must be even')
