-- expect: error_level_0.lua:3: no place

error('no place', 0)
