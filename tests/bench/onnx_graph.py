"""An ONNX model as onnx_steps.py wants it: nodes with attributes as Python values, constants folded, shapes known."""
import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference


class Unsupported(Exception):
    """What the step list cannot say."""


class Node:
    def __init__(self, proto):
        self.op = proto.op_type
        self.inputs = list(proto.input)
        self.outputs = list(proto.output)
        self.attrs = {a.name: helper.get_attribute_value(a) for a in proto.attribute}

    def get(self, name, default=None):
        value = self.attrs.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


def dims_of(value):
    return [d.dim_value for d in value.type.tensor_type.shape.dim]


def constant_value(node):
    for name in ("value_float", "value_int", "value_floats", "value_ints"):
        if name in node.attrs:
            return np.array(node.attrs[name], dtype=np.float32 if "float" in name else np.int64)
    return numpy_helper.to_array(node.attrs["value"])


def slice_value(data, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        end = int(end)
        if step < 0 and end < -data.shape[int(axis)]:
            end = None
        index[int(axis)] = slice(int(start), end, int(step))
    return data[tuple(index)]


def fill_value(node, shape):
    value = numpy_helper.to_array(node.attrs["value"]) if "value" in node.attrs else np.zeros(1, np.float32)
    return np.full([int(n) for n in shape], value.item(), value.dtype)


# What computes shapes and paddings in exported models.
FOLD = {
    "Concat": lambda n, *v: np.concatenate(v, n.get("axis")),
    "Reshape": lambda n, v, shape: v.reshape([int(k) for k in shape]),
    "Slice": lambda n, *v: slice_value(*v),
    "Transpose": lambda n, v: v.transpose(n.get("perm")),
    "Cast": lambda n, v: v.astype(helper.mapping.TENSOR_TYPE_TO_NP_TYPE[n.get("to")]),
    "ConstantOfShape": fill_value,
    "Identity": lambda n, v: v,
}


class Graph:
    def __init__(self, path):
        model = shape_inference.infer_shapes(onnx.load(path))
        g = model.graph
        self.constant = {i.name: numpy_helper.to_array(i) for i in g.initializer}
        self.shape = {v.name: dims_of(v) for v in [*g.value_info, *g.input, *g.output]}
        self.inputs = [i.name for i in g.input if i.name not in self.constant]
        self.outputs = [o.name for o in g.output]
        self.alias = {}
        self.nodes = [n for n in map(Node, g.node) if not self.fold(n)]
        self.maker = {o: n for n in self.nodes for o in n.outputs}
        self.place = {id(n): i for i, n in enumerate(self.nodes)}
        self.users = {}
        for n in self.nodes:
            for i in n.inputs:
                self.users.setdefault(i, []).append(n)

    def fold(self, n):
        """Takes the nodes away that are known or do nothing."""
        n.inputs = [self.alias.get(i, i) for i in n.inputs]
        if n.op == "Constant":
            self.constant[n.outputs[0]] = constant_value(n)
            return True
        if n.op in FOLD and all(i in self.constant for i in n.inputs):
            self.constant[n.outputs[0]] = FOLD[n.op](n, *[self.constant[i] for i in n.inputs])
            return True
        nothing = n.op in ("Identity", "Dropout") or (n.op == "Pad" and not self.input_constant(n, 1).any())
        if nothing and n.outputs[0] not in self.outputs:
            self.alias[n.outputs[0]] = n.inputs[0]
            return True
        return False

    def input_constant(self, n, i, default=None):
        """Input i, which must be known; `default` when it is left out."""
        if i >= len(n.inputs) or not n.inputs[i]:
            return default
        if n.inputs[i] not in self.constant:
            raise Unsupported(f"{n.op} with computed {n.inputs[i]}")
        return self.constant[n.inputs[i]]

    def only_user(self, name):
        users = self.users.get(name, [])
        return users[0] if len(users) == 1 and name not in self.outputs else None

    def made_before(self, name, n):
        maker = self.maker.get(name)
        return maker is None or self.place[id(maker)] < self.place[id(n)]
