#!/usr/bin/python3
"""The fused steps of an ONNX model, for onednn: BASE.steps (JSON, a line a step) and BASE.weights (float32).

usage: onnx_steps.py BASE...        reads BASE.onnx; needs Debian's python3-onnx

The first line has "input" and "output", each a name, and the input's "shape". A step has "op", "in", "out", "shape" (of what comes out)
and what its op needs; weights are offsets into BASE.weights, in elements. Batch norms are folded into the convolution
before them, sums and activations become its post-ops "sum" (a name) and "act" ([name, alpha, beta])."""
import json
import sys

import numpy as np

from onnx_graph import Graph, Unsupported


def activation(g, n):
    """[name, alpha, beta] as oneDNN's eltwise has them, None for other nodes."""
    if n.op == "Clip":
        lo, hi = g.input_constant(n, 1, n.get("min", -3.4e38)), g.input_constant(n, 2, n.get("max", 3.4e38))
        return ["clip", float(lo), float(hi)]
    return {
        "Relu": ["relu", 0, 0],
        "LeakyRelu": ["relu", n.get("alpha", 0.01), 0],
        "Elu": ["elu", n.get("alpha", 1.0), 0],
        "Tanh": ["tanh", 0, 0],
        "Sigmoid": ["logistic", 1, 0],
        "HardSwish": ["hardswish", 0, 0],
    }.get(n.op)


class Steps:
    def __init__(self, graph):
        self.g = graph
        self.steps = []
        self.weights = []
        self.n_weight = 0
        self.taken = set()  # nodes that became part of another's step
        self.flat = {}  # flattened tensors that only a dense layer reads, which takes them as they were

    def put(self, array):
        at = self.n_weight
        self.weights.append(np.ascontiguousarray(array, dtype=np.float32).ravel())
        self.n_weight += array.size
        return at

    def add(self, op, inputs, out, **more):
        if out not in self.g.shape:
            raise Unsupported(f"{op}: the shape of {out} is not known")
        self.steps.append({"op": op, "in": inputs, "out": out, "shape": self.g.shape[out], **more})

    def take_act(self, out):
        """The activation that alone uses `out`, and what comes out of both."""
        n = self.g.only_user(out)
        act = activation(self.g, n) if n else None
        if not act:
            return None, out
        self.taken.add(id(n))
        return act, n.outputs[0]

    def take_norm(self, out, w, b, axis):
        """A batch norm that alone uses a convolution's output, folded into its weights."""
        n = self.g.only_user(out)
        if not n or n.op != "BatchNormalization":
            return out, w, b
        scale, shift = self.norm_constants(n)
        self.taken.add(id(n))
        along = [1] * w.ndim
        along[axis] = -1
        return n.outputs[0], w * scale.reshape(along), (0 if b is None else b) * scale + shift

    def norm_constants(self, n):
        scale, shift, mean, var = (self.g.input_constant(n, i).astype(np.float64) for i in range(1, 5))
        scale = scale / np.sqrt(var + n.get("epsilon", 1e-5))
        return scale, shift - mean * scale

    def take_sum(self, n, out):
        """An addition of something of the same shape that is there by now."""
        user = self.g.only_user(out)
        if not user or user.op != "Add" or user.inputs[0] == user.inputs[1]:
            return None, out
        other = [i for i in user.inputs if i != out][0]
        same = self.g.shape.get(other) == self.g.shape[out] and other not in self.g.constant
        if not same or not self.g.made_before(other, n):
            return None, out
        self.taken.add(id(user))
        return other, user.outputs[0]

    def post(self, n, out, with_sum):
        other, out = self.take_sum(n, out) if with_sum else (None, out)
        act, out = self.take_act(out)
        found = {"sum": other, "act": act}
        return out, {k: v for k, v in found.items() if v is not None}

    # ---- an op each ---------------------------------------------------------------------------------

    def convolution(self, n):
        transposed = n.op == "ConvTranspose"
        w, b = self.g.input_constant(n, 1), self.g.input_constant(n, 2)
        axes, groups = w.ndim - 2, n.get("group", 1)
        if n.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise Unsupported(f"{n.op} with auto_pad {n.get('auto_pad')}")
        out = n.outputs[0]
        if not transposed or groups == 1:
            out, w, b = self.take_norm(out, w, b, 1 if transposed else 0)
        x, y = self.g.shape[n.inputs[0]][2:], self.g.shape[out][2:]
        strides, dilations = n.get("strides", [1] * axes), n.get("dilations", [1] * axes)
        before = n.get("pads", [0] * 2 * axes)[:axes]
        ahead, behind = (x, y) if transposed else (y, x)  # what a window slides over, `behind`, is read or written
        after = [(a - 1) * s + (k - 1) * d + 1 - i - p
                 for a, s, k, d, i, p in zip(ahead, strides, w.shape[2:], dilations, behind, before)]
        out, post = self.post(n, out, with_sum=not transposed)
        self.add("deconv" if transposed else "conv", [n.inputs[0]], out, weight=self.put(w), kernel=w.shape[2:],
                 bias=-1 if b is None else self.put(b), groups=groups, strides=strides, dilations=dilations,
                 before=before, after=after, **post)

    def dense(self, n):
        w, b = self.g.input_constant(n, 1), self.g.input_constant(n, 2)
        if n.get("alpha", 1) != 1 or n.get("beta", 1) != 1 or n.get("transA", 0) or w.ndim != 2:
            raise Unsupported(f"{n.op} with alpha, beta, transA or a batch of weights")
        if not n.get("transB", 0):
            w = w.T
        if b is not None:
            b = np.broadcast_to(b, (1, w.shape[0]))
        out, post = self.post(n, n.outputs[0], with_sum=False)
        self.add("dense", [self.flat.get(n.inputs[0], n.inputs[0])], out, weight=self.put(w), bias=-1 if b is None else self.put(b), **post)

    def norm(self, n):
        if n.op == "BatchNormalization":
            scale, shift = self.norm_constants(n)
            op, epsilon = "batchnorm", 0.0
        else:
            scale, shift = self.g.input_constant(n, 1), self.g.input_constant(n, 2)
            op, epsilon = "instancenorm", n.get("epsilon", 1e-5)
        act, out = self.take_act(n.outputs[0])
        self.add(op, [n.inputs[0]], out, scale=self.put(scale), shift=self.put(shift), epsilon=epsilon,
                 **({"act": act} if act else {}))

    def pool(self, n):
        x, y = self.g.shape[n.inputs[0]][2:], self.g.shape[n.outputs[0]][2:]
        axes = len(x)
        if n.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or set(n.get("dilations", [1])) != {1}:
            raise Unsupported(f"{n.op} with auto_pad or dilation")
        if n.op.startswith("Global"):
            kernel = x
        else:
            kernel = n.get("kernel_shape")
        strides, before = n.get("strides", [1] * axes), n.get("pads", [0] * 2 * axes)[:axes]
        after = [(o - 1) * s + k - i - p for o, s, k, i, p in zip(y, strides, kernel, x, before)]
        kind = "max" if n.op.endswith("MaxPool") else "avg_include" if n.get("count_include_pad", 0) else "avg_exclude"
        if kind == "avg_include" and n.get("ceil_mode", 0) and list(after) != list(n.get("pads", [0] * 2 * axes)[axes:]):
            raise Unsupported("an average in ceil mode that counts padding")
        self.add("pool", [n.inputs[0]], n.outputs[0], kind=kind, kernel=kernel, strides=strides, before=before,
                 after=after)

    def binary(self, n):
        operand = []
        for name in n.inputs:
            if name in self.g.constant:
                value = self.g.constant[name]
                operand.append({"weight": self.put(value), "shape": list(value.shape)})
            else:
                operand.append({"name": name, "shape": self.g.shape[name]})
        operand.sort(key=lambda o: "weight" in o and n.op in ("Add", "Mul"))
        act, out = self.take_act(n.outputs[0])
        self.add("binary", [o["name"] for o in operand if "name" in o], out, kind=n.op.lower(), operand=operand,
                 **({"act": act} if act else {}))

    def lrn(self, n):
        self.add("lrn", [n.inputs[0]], n.outputs[0], size=n.get("size"), alpha=n.get("alpha", 1e-4),
                 beta=n.get("beta", 0.75), k=n.get("bias", 1.0))

    def pad(self, n):
        pads = [int(p) for p in self.g.input_constant(n, 1)]
        rank = len(pads) // 2
        if n.get("mode", "constant") not in ("constant", "reflect") or any(pads[:2] + pads[rank:rank + 2]):
            raise Unsupported(f"Pad with mode {n.get('mode')} or in n and c")
        if n.get("mode", "constant") == "constant" and float(self.g.input_constant(n, 2, np.zeros(1))) != 0:
            raise Unsupported("Pad with a value other than 0")
        self.add("pad", [n.inputs[0]], n.outputs[0], kind=n.get("mode", "constant"), before=pads[2:rank],
                 after=pads[rank + 2:])

    def resize(self, n):
        kind, where = n.get("mode", "nearest"), n.get("coordinate_transformation_mode", "half_pixel")
        scales = [o / i for o, i in zip(self.g.shape[n.outputs[0]], self.g.shape[n.inputs[0]])]
        whole = all(s == int(s) for s in scales)
        nearest = kind == "nearest" and whole and where in ("asymmetric", "half_pixel")
        if not nearest and (kind, where) != ("linear", "half_pixel"):
            raise Unsupported(f"Resize {kind} {where}")
        self.add("resize", [n.inputs[0]], n.outputs[0], kind=kind)

    def mean(self, n):
        x, y = self.g.shape[n.inputs[0]], n.outputs[0]
        axes = n.get("axes") or [int(a) for a in self.g.input_constant(n, 1)]
        if sorted(a % len(x) for a in axes) != list(range(2, len(x))):
            raise Unsupported("ReduceMean over other axes than all positions")
        axes = len(x) - 2
        pooled = y if n.get("keepdims", 1) else y + ".pooled"
        self.g.shape[pooled] = x[:2] + [1] * axes
        self.add("pool", [n.inputs[0]], pooled, kind="avg_exclude", kernel=x[2:], strides=[1] * axes,
                 before=[0] * axes, after=[0] * axes)
        if pooled != y:
            self.add("reshape", [pooled], y)

    def softmax(self, n):
        rank = len(self.g.shape[n.inputs[0]])
        self.add("softmax", [n.inputs[0]], n.outputs[0], axis=n.get("axis", -1) % rank)

    def concat(self, n):
        self.add("concat", n.inputs, n.outputs[0], axis=n.get("axis") % len(self.g.shape[n.outputs[0]]))

    def reshape(self, n):
        x, y, user = self.g.shape[n.inputs[0]], self.g.shape[n.outputs[0]], self.g.only_user(n.outputs[0])
        if user and user.op in ("Gemm", "MatMul") and 3 <= len(x) <= 5 and y == [x[0], int(np.prod(x[1:]))]:
            self.flat[n.outputs[0]] = n.inputs[0]
        else:
            self.add("reshape", [n.inputs[0]], n.outputs[0])

    def step(self, n):
        act = activation(self.g, n)
        if act:
            self.add("act", [n.inputs[0]], n.outputs[0], act=act)
        elif n.op in OPS:
            OPS[n.op](self, n)
        else:
            raise Unsupported(f"the op {n.op}")


OPS = {
    "Conv": Steps.convolution, "ConvTranspose": Steps.convolution, "Gemm": Steps.dense, "MatMul": Steps.dense,
    "BatchNormalization": Steps.norm, "InstanceNormalization": Steps.norm, "LRN": Steps.lrn,
    "MaxPool": Steps.pool, "AveragePool": Steps.pool, "GlobalMaxPool": Steps.pool, "GlobalAveragePool": Steps.pool,
    "Add": Steps.binary, "Sub": Steps.binary, "Mul": Steps.binary, "Div": Steps.binary,
    "Concat": Steps.concat, "Pad": Steps.pad, "Resize": Steps.resize, "ReduceMean": Steps.mean,
    "Softmax": Steps.softmax, "Flatten": Steps.reshape, "Reshape": Steps.reshape, "Squeeze": Steps.reshape,
    "Unsqueeze": Steps.reshape,
}


def write(base):
    g = Graph(base + ".onnx")
    if len(g.inputs) != 1 or len(g.outputs) != 1:
        raise Unsupported(f"{len(g.inputs)} inputs and {len(g.outputs)} outputs")
    s = Steps(g)
    for n in g.nodes:
        if id(n) not in s.taken:
            s.step(n)
    head = {"input": g.inputs[0], "shape": g.shape[g.inputs[0]], "output": g.outputs[0]}
    np.concatenate(s.weights or [np.zeros(0, np.float32)]).tofile(base + ".weights")
    with open(base + ".steps", "w", encoding="utf-8") as f:
        for line in [head, *s.steps]:
            f.write(json.dumps(line, default=int) + "\n")


def main():
    for base in sys.argv[1:]:
        try:
            write(base)
        except Unsupported as why:
            sys.exit(f"onednn: {base}.onnx: no step for {why}")


if __name__ == "__main__":
    main()
