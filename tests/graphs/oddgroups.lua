local x = input { "x", 12, 9, 11 }
x = x:conv { 18, 3, pad = 1, groups = 3 }:relu()
x = x:conv { 30, 3, pad = 2, dilation = 2, groups = 6 }:batchnorm():relu6()
x = x:conv { 10, 1, groups = 5 }
x = x:conv { 20, {1,3}, pad = {0,0,0,3}, groups = 10 }
return { x }
