-- expect: input_text.lua:2: input: an integer expected for the channels (place 2); a string came
return input { 'x', '3', 28 }
