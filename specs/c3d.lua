-- C3D (Tran et al., 2014, arXiv 1412.0767, figure 3): 3 x 3 x 3 convolutions over 16 frames of a video.
-- Weights named as in the PyTorch port of the authors' Sports-1M network ("c3d-pytorch", D. Abati), whose last pool
-- is padded, so that 7 x 7 positions become 4 x 4; with --set pool5_pad=0 they become 3 x 3.

local classes = param("classes", 487)                 -- Sports-1M's
local pool5_pad = param("pool5_pad", 1)               -- around the height and width of the last pool's input

local function conv(x, name, channels) return x:conv { channels, 3, pad = 1, name = name }:relu() end

local x = input { "video", 3, 16, 112, 112 }          -- channels, frames, height, width
x = conv(x, "conv1", 64):maxpool { { 1, 2, 2 } }      -- 64 x 16 x 56 x 56: time is pooled later
x = conv(x, "conv2", 128):maxpool { 2 }               -- 128 x 8 x 28 x 28
x = conv(conv(x, "conv3a", 256), "conv3b", 256):maxpool { 2 }          -- 256 x 4 x 14 x 14
x = conv(conv(x, "conv4a", 512), "conv4b", 512):maxpool { 2 }          -- 512 x 2 x 7 x 7
x = conv(conv(x, "conv5a", 512), "conv5b", 512):maxpool { 2, pad = { 0, pool5_pad, pool5_pad } }
return x:flatten()                                    -- 512 x 1 x 4 x 4
        :dense { 4096, name = "fc6" }:relu()
        :dense { 4096, name = "fc7" }:relu()
        :dense { classes, name = "fc8" }
