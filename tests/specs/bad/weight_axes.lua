-- expect: weight_axes.lua:2: weight: axis 'z' is none of n c o d h w t u v
return weight { 'w', 3, 4, axes = 'oz' }
