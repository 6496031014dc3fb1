-- expect: weight_key.lua:2: weight: unknown key 'shape' (it takes type, axes)
return weight { 'w', shape = { 3 } }
