-- Every pointwise op, and the operators on two tensors.
local x = input { "x", 3, 6, 8 }
local y = x:conv { 8, 3, pad = 1 }
local p = y:abs():clip { 0.5, 6 }
local s = y:elu() + y:elu { 0.5 } - y:selu():celu { 2 } * y:sigmoid() / p
return {
  s = s,
  soft = y:gelu():conv { 4, 1 }:gelutanh():conv { 4, 1 }:silu():conv { 4, 1 }:mish(),
  hard = y:hardswish():conv { 4, 1 }:hardsigmoid():conv { 4, 1 }:hardsigmoid { alpha = 0.2 }:thresholdedrelu { 0.25 },
  plus = y:softplus():conv { 4, 1 }:softplus { beta = 2, threshold = 10 }:softsign():identity(),
  functions = p:log():min(p:sqrt()):max(-y:tanh():exp()):erf(),
  clip = y:clip { max = 2 }:neg():clip(),
}
