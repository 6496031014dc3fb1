#!/usr/bin/python3
"""Makes the models of this folder that are about opsets, options and bad input; run once, the results are in the repository.

A model opset*.onnx has as its first output what its input must be, then each result and what it must be, by numpy."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(11)
node = helper.make_node


def ints(name, *v):
    return numpy_helper.from_array(np.array(v, np.int64), name)


def info(name, t, shape):
    return helper.make_tensor_value_info(name, t, shape)


def pairs(path, opset, x, cases, inits=()):
    """A model whose first output is what its input must be, then each result and what it must be."""
    nodes, outputs, inits = [], ["x.value"], [numpy_helper.from_array(x, "x.value")] + list(inits)
    for i, (made, wanted) in enumerate(cases):
        made = made if isinstance(made, list) else [made]
        made[-1].output[0] = f"y{i}"
        for n in made[:-1]:
            n.output[0] = n.output[0] + str(i)
        for n in made[1:]:
            n.input[:] = [s[1:] + str(i) if s.startswith("^") else s for s in n.input]
        nodes += made
        inits.append(numpy_helper.from_array(np.asarray(wanted, np.float32), f"wanted{i}"))
        outputs += [f"y{i}", f"wanted{i}"]
    graph = helper.make_graph(nodes, "g", [info("x", TensorProto.FLOAT, x.shape)],
                              [info(o, TensorProto.FLOAT, None) for o in outputs], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.producer_name, model.ir_version = "", 4
    onnx.save(model, path)


def floats(name, *v):
    return numpy_helper.from_array(np.array(v, np.float32), name)


def scalar(name, v, dtype=np.float32):
    return numpy_helper.from_array(np.array(v, dtype), name)


def of_channel(v):
    return np.asarray(v, np.float64)[None, :, None, None]


def transposed(x, w, cut):
    """A transposed convolution by 2 with kernel 3; cut = (at the start, at the end)."""
    o = [(x.shape[2 + i] - 1) * 2 + 3 for i in range(2)]
    y = np.zeros((x.shape[0], w.shape[1], *o))
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            y[:, :, 2 * i:2 * i + 3, 2 * j:2 * j + 3] += np.einsum("nc,cokl->nokl", x[:, :, i, j], w)
    return y[:, :, cut[0]:o[0] - cut[1], cut[0]:o[1] - cut[1]]


x = (rng.integers(-8, 9, (2, 3, 2, 4)) / 4).astype(np.float32)
s, t, m, v = [np.array(a, np.float32) for a in ([1, 2, -1], [0.5, 0, -2], [0.25, -1, 1], [1, 2, 0.5])]
norm = [numpy_helper.from_array(a, n) for a, n in zip((s, t, m, v), "stmv")]
w = (rng.integers(-4, 5, (3, 1, 3, 3)) / 8).astype(np.float32)
kernel = numpy_helper.from_array(w, "w")
normed = (x - of_channel(m)) / np.sqrt(of_channel(v) + 1e-5) * of_channel(s) + of_channel(t)
own = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5)
trained = own * of_channel(s) + of_channel(t)
scaled = x.repeat(2, 2).repeat(3, 3)
pairs("opset1.onnx", 1, x, [
    (node("Add", ["x", "s"], [""], axis=1, broadcast=1, consumed_inputs=[0, 0]), x + of_channel(s)),
    (node("BatchNormalization", ["x", *"stmv"], [""], is_test=1, consumed_inputs=[0, 0, 0, 1, 1]), normed),
    ([node("Cast", ["x"], ["whole"], to="INT64"), node("Cast", ["^whole"], [""], to="FLOAT")], np.trunc(x)),
    (node("Clip", ["x"], [""], min=-0.5), np.maximum(x, -0.5)),
    (node("Concat", ["x", "x"], [""]), np.concatenate([x, x], 1)),
    (node("ConvTranspose", ["x", "w"], [""], output_shape=[4, 8], strides=[2, 2]), transposed(x, w, (0, 1))),
    (node("GlobalLpPool", ["x"], [""], p=1.0), np.abs(x).sum((2, 3), keepdims=True)),
    (node("Pad", ["x"], [""], paddings=[0, 0, 1, 0, 0, 0, 0, 2]), np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2)))),
    (node("PRelu", ["x", "s"], [""]), np.where(x > 0, x, of_channel(s) * x)),
    (node("Reshape", ["x"], [""], shape=[0, -1]), x.reshape(2, -1)),
    (node("Slice", ["x"], [""], starts=[1, -3], ends=[9, -1], axes=[1, 3]), x[:, 1:, :, -3:-1]),
    (node("Tile", ["x", "tiles", "axis"], [""]), np.tile(x, (1, 1, 3, 1))),
    (node("Upsample", ["x"], [""], height_scale=2.0, width_scale=3.0), scaled),
    (node("Upsample", ["x"], [""], height_scale=1.0, width_scale=1.0, mode="bilinear"), x),
], norm + [kernel, scalar("tiles", 3), scalar("axis", 2)])
per = [numpy_helper.from_array(np.abs(np.roll(x[1], i)) + 1, n) for i, n in enumerate("abcd")]
each = [numpy_helper.to_array(p).astype(np.float64) for p in per]
pairs("opset7.onnx", 7, x, [
    (node("BatchNormalization", ["x", *"abcd"], [""], spatial=0),
     (x - each[2]) / np.sqrt(each[3] + 1e-5) * each[0] + each[1]),
    (node("BatchNormalization", ["x", *"stmv"], ["", "mean", "var", "saved_mean", "saved_var"]), trained),
    (node("Upsample", ["x"], [""], scales=[1.0, 1.0, 2.0, 3.0]), scaled),
    (node("Tile", ["x", "repeats"], [""]), np.tile(x, (1, 2, 1, 3))),
], norm + per + [ints("repeats", 1, 2, 1, 3)])


def linear(a, extent, scale):
    """The last axis, resampled between pixel centres."""
    at = (np.arange(extent) + 0.5) / scale - 0.5
    low = np.floor(at).astype(int)
    take = lambda i: a[..., np.clip(i, 0, a.shape[-1] - 1)]
    return take(low) * (1 - (at - low)) + take(low + 1) * (at - low)


# sizes 3, 7 of 2, 4: the smaller scale, 3 / 2, makes 3, 6; sizes 5, 5: 5 / 4, which makes 3 (of 2.5), 5
kept = linear(linear(x.astype(float), 5, 1.25).swapaxes(2, 3), 3, 1.25).swapaxes(2, 3)
zeros = x * (np.arange(4) % 2)
largest = helper.make_tensor("", TensorProto.INT64, [1], [2**63 - 1])
pairs("opset18.onnx", 18, x, [
    ([node("Shape", ["x"], ["sh"]), node("Div", ["^sh", "two"], ["half"]), node("Mul", ["^half", "two"], ["even"]),
      node("Slice", ["x", "zeros", "^even"], [""])], x[:2, :2]),  # 3 / 2 is 1 of integers
    ([node("ConstantOfShape", ["one"], ["end"], value=largest), node("Slice", ["x", "one", "^end"], [""])], x[1:]),
    ([node("Clip", ["x", "", "inf"], ["cut"]), node("Div", ["^cut", "zero"], ["poles"]),
      node("Clip", ["^poles", "minus", "inf"], ["ends"]), node("Max", ["^ends", "minus"], ["up"]),
      node("Reciprocal", ["^up"], [""])], np.where(x > 0, 0, -1)),  # infinity stays
    (node("Resize", ["x", "", "", "sizes"], [""], axes=[2, 3], mode="linear", keep_aspect_ratio_policy="not_larger"),
     kept),
    ([node("Mul", ["x", "odd"], ["zeroed"]), node("LpNormalization", ["^zeroed"], [""], axis=2, p=1)],
     zeros / np.maximum(np.abs(zeros).sum(2, keepdims=True), 1e-30)),
    (node("Add", ["x", "double"], [""]), x + 0.5),
    (node("Gather", ["x", "last"], [""], axis=3), x[..., [-1, 0]]),
    (node("ReduceMean", ["x", "last"], [""]), x.mean((0, 3), keepdims=True)),
    (node("Pad", ["x", "one_two", "", "minus_one"], [""], mode="edge"),
     np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 2)), mode="edge")),
], [ints("two", 2), ints("zeros", 0, 0, 0, 0), ints("one", 1), scalar("inf", np.inf), scalar("zero", 0), scalar("minus", -1),
    ints("sizes", 5, 5), floats("odd", 0, 1, 0, 1), numpy_helper.from_array(np.array([0.5]), "double"),
    ints("last", -1, 0), ints("one_two", 1, 2), ints("minus_one", -1)])


# ---- what is refused -------------------------------------------------------------------------------

def save(path, nodes, inputs, outputs, inits, opset):
    graph = helper.make_graph(nodes, "g", inputs, [info(o, TensorProto.FLOAT, None) for o in outputs], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.producer_name, model.ir_version = "", 4
    onnx.save(model, path)


def refused(name, opset, op, inits=(), inputs=("x",), outputs=("y",), **attributes):
    save(f"refused.{name}.onnx", [node(op, inputs, outputs, **attributes)], [info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
         outputs[-1:], inits, opset)


refused("inputs", 6, "Clip", [scalar("low", 0)], ("x", "low"))
refused("axis", 6, "Add", [floats("b", 1, 2, 3)], ("x", "b"), axis=2**31, broadcast=1)
refused("index", 13, "Gather", [ints("i", 3)], ("x", "i"), axis=1)
refused("output", 12, "MaxPool", outputs=("y", "i", "z"), kernel_shape=[2, 2])
refused("policy", 18, "Resize", [ints("sizes", 1, 3, 2, 2)], ("x", "", "", "sizes"), keep_aspect_ratio_policy="never")
refused("nan", 13, "Clip", [scalar("low", np.nan)], ("x", "low"))
refused("extent", 11, "ConvTranspose", [numpy_helper.from_array(w, "w")], ("x", "w"), strides=[1, 2**16],
        output_shape=[6, 8])
# a constant that would take hours
ones = helper.make_tensor("", TensorProto.FLOAT, [1], [1.0])
save("refused.work.onnx",
     [node("ConstantOfShape", ["shape"], ["c"], value=ones),
      node("MaxPool", ["c"], ["d"], kernel_shape=[500, 500], pads=[250] * 4),
      node("Cast", ["d"], ["e"], to=TensorProto.INT64), node("Reshape", ["x", "e"], ["y"])],
     [info("x", TensorProto.FLOAT, [1, 3])], ["y"], [ints("shape", 1, 1, 500, 500)], 12)

# ---- options ---------------------------------------------------------------------------------------

no_shape = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
save("no_shape.onnx", [node("Relu", ["x"], ["y"])], [no_shape], ["y"], [], 13)
unnamed = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, None])
save("unnamed.onnx", [node("Relu", ["x"], ["y"])], [unnamed], ["y"], [], 13)
# weights.bin: 8 bytes that are not theirs, then [[1, 2, 3], [4, 5, 6]], then [7, 8]
with open("weights.bin", "wb") as f:
    f.write(b"not ours" + np.arange(1, 9, dtype=np.float32).tobytes())
matrix, bias = floats("w", 1, 2, 3, 4, 5, 6), floats("b", 7, 8)
matrix.dims[:] = [2, 3]
for t, offset, length in (matrix, 8, 24), (bias, 32, None):
    onnx.external_data_helper.set_external_data(t, "weights.bin", offset, length)
    t.ClearField("raw_data")
save("external.onnx", [node("Gemm", ["x", "w", "b"], ["y"], transB=1)], [info("x", TensorProto.FLOAT, [1, 3])], ["y"],
     [matrix, bias], 13)
