local a, b, c = input { "a", 4, 5 }, input { "b", 4, 5 }, input { "c", 4, 1 }
return { total = sum { a, b, c }, middle = mean(a, b, c), only = sum(a):swish { name = "gate" }, one = mean { b } }
