-- expect: unknown_global_far.lua:2: unknown name 'frobnicate'
return frobnicate(1)
