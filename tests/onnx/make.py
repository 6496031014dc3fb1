#!/usr/bin/python3
"""Makes the models of this folder (python3-onnx); run once, the results are in the repository."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)


def weight(name, *shape, dtype=np.float32):
    return numpy_helper.from_array((rng.integers(-4, 5, shape) / 8).astype(dtype), name)


def ints(name, *v):
    return numpy_helper.from_array(np.array(v, np.int64), name)


def save(path, nodes, inputs, outputs, inits, opset):
    info = lambda t: helper.make_tensor_value_info(t[0], t[2] if len(t) > 2 else TensorProto.FLOAT, t[1])
    graph = helper.make_graph(nodes, "g", [info(t) for t in inputs], [info(t) for t in outputs], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.producer_name = ""
    model.ir_version = 4
    onnx.save(model, path)


node = helper.make_node
# every kind of thing in a few hundred bytes: its bits are flipped one by one
save("small.onnx",
     [node("Conv", ["x", "w"], ["a"], "c", auto_pad="SAME_UPPER", strides=[2, 2]),
      node("Add", ["a", "b"], ["a2"]),
      node("BatchNormalization", ["a2", "s", "t", "m", "v"], ["n"]),
      node("Relu", ["n"], ["r"]),
      node("MaxPool", ["r"], ["p"], kernel_shape=[3, 2], ceil_mode=1),
      node("Constant", [], ["k"], value=helper.make_tensor("", TensorProto.INT64, [2], [0, -1])),
      node("Reshape", ["p", "k"], ["f"]),
      node("Transpose", ["d"], ["dt"]),
      node("MatMul", ["f", "dt"], ["g"]),
      node("Softmax", ["g"], ["y"], axis=1)],
     [("x", ["N", 1, 5, 4])], [("y", ["N", 2])],
     [weight("w", 2, 1, 3, 3, dtype=np.float16), weight("b", 2, 1, 1), weight("s", 2), weight("t", 2), weight("m", 2),
      numpy_helper.from_array(np.array([1, 2], np.float32), "v"), weight("d", 2, 2)], 13)


def expected(x):
    """The same in numpy."""
    w = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in onnx.load("small.onnx").graph.initializer}
    padded = np.pad(x[:, 0], ((0, 0), (1, 1), (0, 1)))  # 5 → 3 by 2: 2 in all; 4 → 2 by 2: 1, at the end
    a = np.zeros((len(x), 2, 3, 2))
    for h in range(3):
        for v in range(2):
            a[:, :, h, v] = np.einsum("nij,oij->no", padded[:, 2 * h:2 * h + 3, 2 * v:2 * v + 3], w["w"][:, 0])
    a = a + w["b"]
    c = lambda name: w[name][None, :, None, None]
    a = np.maximum(0, (a - c("m")) / np.sqrt(c("v") + 1e-5) * c("s") + c("t"))
    y = a.max((2, 3)) @ w["d"].T
    e = np.exp(y - y.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


x = rng.integers(-8, 9, (3, 1, 5, 4)) / 4
np.save("small.in.npy", x.astype(np.float32))
np.save("small.out.npy", expected(x).astype(np.float32))
# a dimension to be set, an op that is not known, a cycle, data elsewhere
save("open.onnx", [node("Relu", ["x"], ["y"])], [("x", ["N", 3, "height", 4])], [("y", ["N", 3, "height", 4])], [], 14)
save("unknown.onnx", [node("Relu", ["x"], ["a"]), node("Det", ["a"], ["y"], "determinant")], [("x", [1, 3, 4, 4])],
     [("y", [1, 3])], [], 11)
save("cycle.onnx", [node("Add", ["x", "b"], ["a"], "first"), node("Relu", ["a"], ["b"])], [("x", [1, 3, 4, 4])],
     [("b", [1, 3, 4, 4])], [], 13)
elsewhere = weight("w", 2, 3, 1, 1)
onnx.external_data_helper.set_external_data(elsewhere, "../weights.bin")
elsewhere.ClearField("raw_data")
save("elsewhere.onnx", [node("Conv", ["x", "w"], ["y"])], [("x", [1, 3, 4, 4])], [("y", [1, 2, 4, 4])], [elsewhere], 13)
# odd names, residual, concat, both names of the batch
save("names.onnx",
     [node("Sigmoid", ["1 in:0"], ["a/b:0"], "a/b"), node("Tanh", ["1 in:0"], ["a.b."], "a.b"),
      node("Add", ["a/b:0", "a.b."], ["s"], "a b"), node("Concat", ["s", "1 in:0"], ["out:0"], axis=-3),
      node("Clip", ["s", "lo", "hi"], ["out.0"])],
     [("1 in:0", ["N", 2, 3, 3])], [("out:0", ["N", 4, 3, 3]), ("out.0", ["N", 2, 3, 3])],
     [numpy_helper.from_array(np.array(0, np.float32), "lo"), numpy_helper.from_array(np.array(6, np.float32), "hi")], 13)
# a shape that is an input
save("given.onnx", [node("Reshape", ["x", "shape"], ["y"])], [("x", [2, 6]), ("shape", [2], TensorProto.INT64)],
     [("y", [3, 4])], [], 13)
np.save("given.shape.npy", np.array([3, 4]))
with open("given.shape.pb", "wb") as f:
    f.write(ints("shape", 3, 4).SerializeToString())
