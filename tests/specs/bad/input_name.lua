-- expect: input_name.lua:2: input: '9' is not a name
return input { '9', 3 }
