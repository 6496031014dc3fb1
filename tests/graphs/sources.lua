-- Kernels that compute what they read: a prologue of batch norm and activation, strided and dilated windows behind one, a pool behind a
-- convolution, copies at both edges, and a pointwise convolution that computes its depthwise one by a schedule of its own.
local x = input { "x", 16, 40, 24 }

local pre = x:batchnorm { name = "pre.norm" }:relu():conv { 32, 3, pad = 1, name = "pre.conv" }
local down = pre:batchnorm { name = "down.norm" }:relu():conv { 32, 3, stride = 2, pad = 1, name = "down.conv" }
local dilated = x:conv { 32, 3, pad = 2, dilation = 2, name = "dilated" }:relu():maxpool { 2 }
local pair = (down + dilated):conv { 32, 3, pad = 1, groups = 32, name = "depthwise" }:relu()
pair = pair:conv { 48, 1, name = "pointwise", schedule = [[split h 2 -> h_s h_r; split w 4 -> w_o w_i; order n h_s O h_r w_o C c w_i o;
       stage y at w_o -> acc; compute t1 at h_s; par n h_s; unroll w_i; vec o;
       order n.t1 G.t1 h.t1 w.t1 kh.t1 kw.t1 g.t1; stage t1 at w.t1 -> sum; vec g.t1]] }

return { pair:relu(), pre:maxpool { 2, stride = 2, pad = 1 } }
