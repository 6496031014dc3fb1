-- expect: input_no_name.lua:2: input: a name expected first; a number came
return input { 1, 28, 28 }
