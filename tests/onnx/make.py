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


def folded(x):
    """Constants that nodes make, each beside what it should be; the last is a choice between branches."""
    nodes, parts, wanted, inits = [node("Shape", ["x"], ["s"])], [], [], []  # s = 2 3 4

    def const(name, *v, dtype=np.int64):
        inits.append(numpy_helper.from_array(np.array(v, dtype), name))
        return name

    def add(op, ins, want, out=None, **attr):
        out = out or f"v{len(nodes)}"
        nodes.append(node(op, ins, [out], **attr))
        nodes.append(node("Cast", [out], [out + ".f"], to=TensorProto.FLOAT))
        nodes.append(node("Reshape", [out + ".f", "flat"], [out + ".1"]))
        parts.append(out + ".1")
        wanted.append(np.array(want, np.float32).ravel())
        return out

    const("flat", -1)
    const("three", 3)
    t = const("t", -7, 7, 8)
    f = const("f", -1.5, 0.5, 2.5, dtype=np.float32)
    const("two", 2, dtype=np.float32)
    const("m", 3, -3, 5)
    add("Mul", [add("Div", ["s", "three"], [0, 1, 1]), "three"], [0, 3, 3])
    is_three = add("Equal", ["s", "three"], [0, 1, 0])
    add("Less", [t, "s"], [1, 0, 0])
    add("Greater", [t, "s"], [0, 1, 1])
    add("LessOrEqual", ["s", "three"], [1, 1, 0])
    other = add("GreaterOrEqual", [f, "two"], [0, 0, 1])
    add("Not", [is_three], [1, 0, 1])
    add("And", [is_three, other], [0, 0, 0])
    add("Or", [is_three, other], [0, 1, 1])
    add("Xor", [is_three, is_three], [0, 0, 0])
    add("Where", [is_three, t, "s"], [2, 7, 4])
    add("Where", [is_three, "column", f], [[-1.5, 1, 2.5], [-1.5, 2, 2.5]])
    inits.append(numpy_helper.from_array(np.array([[1], [2]], np.float32), "column"))
    add("Floor", [f], [-2, 0, 2])
    add("Ceil", [f], [-1, 1, 3])
    add("Round", [f], [-2, 0, 2])
    add("Sign", [t], [-1, 1, 1])
    add("Mod", [t, "m"], [2, -2, 3])
    add("Mod", [t, "m"], [-1, 1, 3], fmod=1)
    add("Mod", [f, "two"], [-1.5, 0.5, 0.5], fmod=1)
    grid = np.arange(6).reshape(2, 3)
    inits.append(numpy_helper.from_array(grid, "grid"))
    inits.append(numpy_helper.from_array(np.array([[0, -1], [1, 0]]), "at"))
    inits.append(numpy_helper.from_array(np.array([[1], [0]]), "row"))
    const("v", 70, 80)
    add("NonZero", ["grid"], np.nonzero(grid))
    add("ScatterND", ["grid", "at", "v"], [[0, 1, 70], [80, 4, 5]])
    add("ScatterND", ["grid", "row", "swapped"], [[0, 1, 2], [3, 4, 5]])
    inits.append(numpy_helper.from_array(grid[::-1].copy(), "swapped"))
    inits.append(numpy_helper.from_array(np.array(-1), "below"))
    add("Trilu", ["grid"], np.triu(grid))
    add("Trilu", ["grid", "below"], np.tril(grid, -1), upper=0)
    add("ReduceProd", ["s"], 24, keepdims=0)
    # a branch with a weight of its own, and another If in it
    info = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    inner = [helper.make_graph([node(op, ["scaled"], [op])], op, [], [info(op)]) for op in ("Neg", "Exp")]
    then = helper.make_graph([node("Mul", ["x", "factor"], ["scaled"]), node("Not", ["first"], ["no"]),
                              node("If", ["no"], ["inner"], then_branch=inner[1], else_branch=inner[0])], "then", [],
                             [info("inner")], [numpy_helper.from_array(np.array(3, np.float32), "factor")])
    other = helper.make_graph([node("Identity", ["x"], ["same"])], "else", [], [info("same")])
    inits.append(numpy_helper.from_array(np.array(1), "one"))
    nodes.append(node("Gather", ["s", "one"], ["channels"]))
    nodes.append(node("Equal", ["channels", "three"], ["first"]))
    nodes.append(node("If", ["first"], ["chosen"], then_branch=then, else_branch=other))
    nodes.append(node("Reshape", ["chosen", "flat"], ["chosen.1"]))
    nodes.append(node("Concat", parts + ["chosen.1"], ["y"], axis=0))
    wanted.append(-3 * x.ravel())
    y = np.concatenate(wanted)
    save("folded.onnx", nodes, [("x", x.shape)], [("y", y.shape)], inits, 16)
    np.save("folded.in.npy", x)
    np.save("folded.out.npy", y)


folded((np.arange(24) / 4 - 3).reshape(2, 3, 4).astype(np.float32))
# a branch that only a run could choose, and a sum of integers
save("choice.onnx",
     [node("If", ["c"], ["y"], "choose",
           then_branch=helper.make_graph([node("Relu", ["x"], ["a"])], "a", [],
                                         [helper.make_tensor_value_info("a", TensorProto.FLOAT, [2])]),
           else_branch=helper.make_graph([node("Neg", ["x"], ["b"])], "b", [],
                                         [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])]))],
     [("x", [2]), ("c", [1], TensorProto.BOOL)], [("y", [2])], [], 13)
save("total.onnx", [node("ReduceSum", ["x"], ["y"])], [("x", [2, 3], TensorProto.INT64)],
     [("y", [1, 1], TensorProto.INT64)], [], 13)
# a pool with more padding than its window at the end, of which the last window reaches one element
save("unread.onnx", [node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[2], pads=[1, 2])], [("x", [1, 1, 4])],
     [("y", [1, 1, 3])], [], 9)
