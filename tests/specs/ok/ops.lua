-- One of each op, in 0, 1, 2 and 3 spatial axes.
local v = input { "vector", 10 }
local s = input { "signal", 3, 32 }
local i = input { "image", 3, 16, 20 }
local u = input { "volume", 2, 8, 8, 8 }
return {
  vector = v:dense { 5 }:relu():dense { 3, bias = false }:softmax(),
  signal = s:conv { 4, 5, stride = 2 }:maxpool { 2 }:globalavgpool():flatten():logsoftmax(),
  image = i:conv { 6, { 3, 5 } }:batchnorm { eps = 0.001 }:relu6():avgpool { 3, 1, pad = 1, count_pad = false }
    :leakyrelu { 0.2 }:leakyrelu():maxpool { { 2, 3 }, { 2, 1 }, dilation = 2 },
  volume = u:conv { 4, 3, pad = 1, groups = 2 }:tanh():sigmoid():avgpool { 2 },
}
