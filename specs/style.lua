-- The image transformation network of fast neural style (Johnson et al., 2016, arXiv 1603.08155), with instance
-- norms (Ulyanov et al., 2016, arXiv 1607.08022), reflections as padding and upsampling before convolutions.
-- Weights named as in PyTorch's example "fast_neural_style". Its pixels are 0 … 255, in and out.

local size = param("size", 256)                       -- height and width of the image, a multiple of 4
local blocks = param("blocks", 5)                     -- residual blocks

local function conv(x, name, channels, kernel, stride)
  return x:conv { channels, kernel, stride = stride or 1, pad = kernel // 2, pad_mode = "reflect", name = name .. ".conv2d" }
end

local function norm(x, name) return x:instancenorm { affine = true, name = name } end

local function residual(x, name)
  return scope(name, function()
    local y = norm(conv(x, "conv1", 128, 3), "in1"):relu()
    return norm(conv(y, "conv2", 128, 3), "in2") + x
  end)
end

local x = input { "image", 3, size, size }
x = norm(conv(x, "conv1", 32, 9), "in1"):relu()
x = norm(conv(x, "conv2", 64, 3, 2), "in2"):relu()    -- 64 x 128 x 128
x = norm(conv(x, "conv3", 128, 3, 2), "in3"):relu()   -- 128 x 64 x 64
for i = 1, blocks do x = residual(x, "res" .. i) end
x = norm(conv(x:upsample { 2 }, "deconv1", 64, 3), "in4"):relu()
x = norm(conv(x:upsample { 2 }, "deconv2", 32, 3), "in5"):relu()
return conv(x, "deconv3", 3, 9)
