"""Evaluates ONNX models by numpy, from the standard's text alone, and compares with given answers.

    evaluate.py FILE.onnx …      FILE.onnx.in0.npy … and FILE.onnx.out0.npy … stand beside each; also onnx.checker
    evaluate.py --cases DIR …    ONNX's own node tests (test_data_set_0), to check this evaluator itself

Written for clarity, in double precision; only what lunette export writes is here."""

import glob
import math
import os
import sys

import numpy as np
import onnx
from onnx import checker, numpy_helper, shape_inference

OPS = {}
TYPES = {1: np.float32, 2: np.uint8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}


class Unknown(Exception):
    pass


def op(*names):
    def add(f):
        for name in names:
            OPS[name] = f
        return f
    return add


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def text(v):
    return v.decode() if isinstance(v, bytes) else v


# ---- element by element ---------------------------------------------------------------------------

erf = np.vectorize(math.erf, otypes=[float])
UNARY = {
    "Abs": np.abs, "Neg": np.negative, "Sqrt": np.sqrt, "Exp": np.exp, "Log": np.log, "Tanh": np.tanh, "Erf": erf,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Relu": lambda x: np.maximum(x, 0), "Identity": lambda x: x,
    "Softplus": lambda x: np.logaddexp(x, 0), "Softsign": lambda x: x / (1 + np.abs(x)), "Floor": np.floor,
    "Ceil": np.ceil, "Reciprocal": lambda x: 1 / x, "Sign": np.sign, "Round": np.rint, "Not": np.logical_not,
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1), "Sin": np.sin, "Cos": np.cos, "IsNaN": np.isnan,
    "Atan": np.arctan,
}
BINARY = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power, "Less": np.less,
    "LessOrEqual": np.less_equal, "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Equal": np.equal,
    "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Min": np.minimum, "Max": np.maximum,
    "Mod": np.mod,
}
for name in UNARY:
    op(name)(lambda a, x, f=UNARY[name]: f(x))
for name in BINARY:
    op(name)(lambda a, x, y, f=BINARY[name]: f(x, y))
op("Where")(lambda a, c, x, y: np.where(c, x, y))
op("LeakyRelu")(lambda a, x: np.where(x < 0, a.get("alpha", 0.01) * x, x))
op("PRelu")(lambda a, x, s: np.where(x < 0, s * x, x))
op("ThresholdedRelu")(lambda a, x: np.where(x > a.get("alpha", 1.0), x, 0))
op("Elu")(lambda a, x: np.where(x < 0, a.get("alpha", 1.0) * (np.exp(x) - 1), x))
op("Selu")(lambda a, x: a.get("gamma", 1.05070102214813232421875) *
           np.where(x > 0, x, a.get("alpha", 1.67326319217681884765625) * (np.exp(x) - 1)))
op("Celu")(lambda a, x: np.maximum(0, x) + np.minimum(0, a.get("alpha", 1.0) * (np.exp(x / a.get("alpha", 1.0)) - 1)))
op("HardSigmoid")(lambda a, x: np.clip(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1))


@op("Cast")
def cast(a, x):
    if a["to"] not in TYPES:
        raise Unknown("Cast")
    to = TYPES[a["to"]]
    return x.astype(float) if to in (np.float32, np.float16, np.float64) else (x != 0 if to is np.bool_ else x.astype(to))


@op("Clip")
def clip(a, x, lo=None, hi=None):
    x = x if lo is None else np.maximum(x, lo)
    return x if hi is None else np.minimum(x, hi)


@op("Softmax", "LogSoftmax")
def softmax(a, x, log=False):
    axis = a.get("axis", -1)
    x = x - np.max(x, axis=axis, keepdims=True)
    s = np.log(np.sum(np.exp(x), axis=axis, keepdims=True))
    return x - s if log else np.exp(x - s)


op("LogSoftmax")(lambda a, x: softmax(a, x, log=True))

# ---- windows ---------------------------------------------------------------------------------------


def geometry(a, x, kernel):
    """Pads, strides, dilations, output extents along the spatial axes."""
    n = x.ndim - 2
    strides = a.get("strides", [1] * n)
    dilations = a.get("dilations", [1] * n)
    pads = list(a.get("pads", [0] * 2 * n))
    if text(a.get("auto_pad", "NOTSET")) not in ("NOTSET", ""):
        raise Unknown("auto_pad")
    rounded = np.ceil if a.get("ceil_mode", 0) else np.floor
    out = []
    for i in range(n):
        span = dilations[i] * (kernel[i] - 1) + 1
        o = int(rounded((x.shape[2 + i] + pads[i] + pads[n + i] - span) / strides[i])) + 1
        if a.get("ceil_mode", 0) and (o - 1) * strides[i] >= x.shape[2 + i] + pads[i]:
            o -= 1  # a window must begin within the input or the padding before it
        out.append(o)
    return pads, strides, dilations, out


def windows(a, x, kernel, fill):
    """[n c out… kernel…]; what is beyond the input is `fill`."""
    n = x.ndim - 2
    pads, strides, dilations, out = geometry(a, x, kernel)
    more = [max(0, (out[i] - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - x.shape[2 + i] - pads[i])
            for i in range(n)]
    padded = np.pad(x, [(0, 0), (0, 0)] + [(pads[i], more[i]) for i in range(n)], constant_values=fill)
    index = [np.arange(out[i])[:, None] * strides[i] + np.arange(kernel[i])[None, :] * dilations[i] for i in range(n)]
    for i in range(n):  # axis 2 + 2i becomes out, kernel
        padded = np.take(padded, index[i], axis=2 + 2 * i)
    order = [0, 1] + [2 + 2 * i for i in range(n)] + [3 + 2 * i for i in range(n)]
    return padded.transpose(order)


@op("Conv")
def conv(a, x, w, b=None):
    n, groups = x.ndim - 2, a.get("group", 1)
    v = windows(a, x, w.shape[2:], 0)
    parts = []
    for g in range(groups):
        xs = v[:, g * w.shape[1]:(g + 1) * w.shape[1]]
        ws = w[g * (w.shape[0] // groups):(g + 1) * (w.shape[0] // groups)]
        axes_x = [1] + list(range(2 + n, 2 + 2 * n))
        axes_w = [1] + list(range(2, 2 + n))
        parts.append(np.moveaxis(np.tensordot(xs, ws, (axes_x, axes_w)), -1, 1))
    y = np.concatenate(parts, axis=1)
    return y if b is None else y + b.reshape([1, -1] + [1] * n)


@op("ConvTranspose")
def conv_transpose(a, x, w, b=None):
    n, groups = x.ndim - 2, a.get("group", 1)
    if "output_shape" in a or text(a.get("auto_pad", "NOTSET")) not in ("NOTSET", ""):
        raise Unknown("output_shape")
    strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
    pads, extra = a.get("pads", [0] * 2 * n), a.get("output_padding", [0] * n)
    kernel, per = w.shape[2:], w.shape[1]
    full = [(x.shape[2 + i] - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 + extra[i] for i in range(n)]
    y = np.zeros([x.shape[0], per * groups] + full)
    for g in range(groups):
        c = x.shape[1] // groups
        xs, ws = x[:, g * c:(g + 1) * c], w[g * c:(g + 1) * c]
        for tap in np.ndindex(*kernel):
            part = np.moveaxis(np.tensordot(xs, ws[(slice(None), slice(None)) + tap], ([1], [0])), -1, 1)
            where = tuple(slice(tap[i] * dilations[i], tap[i] * dilations[i] + (x.shape[2 + i] - 1) * strides[i] + 1,
                                strides[i]) for i in range(n))
            y[(slice(None), slice(g * per, (g + 1) * per)) + where] += part
    y = y[(slice(None), slice(None)) + tuple(slice(pads[i], full[i] - pads[n + i]) for i in range(n))]
    return y if b is None else y + b.reshape([1, -1] + [1] * n)


def over_window(x):
    return tuple(range(x.ndim // 2 + 1, x.ndim))


@op("MaxPool")
def max_pool(a, x):
    """The maxima, and where they stand in the whole tensor."""
    n, kernel = x.ndim - 2, a["kernel_shape"]
    v = windows(a, x, kernel, -np.inf)
    v = v.reshape(v.shape[:2 + n] + (-1,))
    plane = np.arange(int(np.prod(x.shape[2:])))
    if a.get("storage_order", 0):
        plane = plane.reshape(x.shape[:1:-1]).transpose()
    place = plane.reshape(x.shape[2:]) + np.prod(x.shape[2:]) * np.arange(x.shape[0] * x.shape[1]).reshape(
        x.shape[:2] + (1,) * n)
    place = windows(a, place.astype(float), kernel, -1).reshape(v.shape)
    best = np.expand_dims(v.argmax(axis=-1), -1)
    return v.max(axis=-1), np.take_along_axis(place, best, axis=-1)[..., 0].astype(np.int64)


@op("MaxUnpool")
def max_unpool(a, x, index, shape=None):
    n = x.ndim - 2
    strides, pads = a.get("strides", [1] * n), a.get("pads", [0] * 2 * n)
    own = list(x.shape[:2]) + [(x.shape[2 + i] - 1) * strides[i] - pads[i] - pads[n + i] + a["kernel_shape"][i]
                               for i in range(n)]
    y = np.zeros(int(np.prod(own if shape is None else shape)))
    for i, v in zip(index.ravel(), x.ravel()):
        y[i] = v
    return y.reshape(own if shape is None else [int(s) for s in shape])


@op("AveragePool")
def average_pool(a, x):
    n = x.ndim - 2
    v = windows(a, x, a["kernel_shape"], 0)
    inside = np.ones_like(x)
    if a.get("count_include_pad", 0):  # the padding counts, what ceil_mode adds beyond it does not
        pads = a.get("pads", [0] * 2 * n)
        inside = np.pad(inside, [(0, 0), (0, 0)] + [(pads[i], pads[n + i]) for i in range(n)], constant_values=1)
        bare = {k: w for k, w in a.items() if k != "pads"}
        count = windows(bare, inside, a["kernel_shape"], 0)
    else:
        count = windows(a, inside, a["kernel_shape"], 0)
    return v.sum(axis=over_window(v)) / count.sum(axis=over_window(count))


@op("LpPool")
def lp_pool(a, x):
    p = a.get("p", 2)
    v = np.abs(windows(a, x, a["kernel_shape"], 0)) ** p
    return v.sum(axis=over_window(v)) ** (1 / p)


op("GlobalLpPool")(lambda a, x: (np.abs(x) ** a.get("p", 2)).sum(axis=tuple(range(2, x.ndim)), keepdims=True) **
                   (1 / a.get("p", 2)))
op("GlobalAveragePool")(lambda a, x: x.mean(axis=tuple(range(2, x.ndim)), keepdims=True))
op("GlobalMaxPool")(lambda a, x: x.max(axis=tuple(range(2, x.ndim)), keepdims=True))

# ---- norms, products ---------------------------------------------------------------------------------


def by_channel(v, x):
    return v.reshape([1, -1] + [1] * (x.ndim - 2))


@op("BatchNormalization")
def batch_norm(a, x, scale, b, mean, var):
    if a.get("training_mode", 0):
        raise Unknown("training_mode")
    s, b, mean, var = (by_channel(v, x) for v in (scale, b, mean, var))
    return (x - mean) / np.sqrt(var + a.get("epsilon", 1e-5)) * s + b


@op("InstanceNormalization")
def instance_norm(a, x, scale, b):
    axes = tuple(range(2, x.ndim))
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(var + a.get("epsilon", 1e-5)) * by_channel(scale, x) + by_channel(b, x)


@op("LayerNormalization")
def layer_norm(a, x, scale, b=None):
    axes = tuple(range(a.get("axis", -1) % x.ndim, x.ndim))
    y = (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + a.get("epsilon", 1e-5))
    return y * scale + (0 if b is None else b)


@op("MeanVarianceNormalization")
def mean_variance_norm(a, x):
    axes = tuple(a.get("axes", [0, 2, 3]))
    return (x - x.mean(axis=axes, keepdims=True)) / (x.std(axis=axes, keepdims=True) + 1e-9)


@op("LRN")
def lrn(a, x):
    size, c = a["size"], x.shape[1]
    y = np.empty_like(x)
    for i in range(c):
        part = x[:, max(0, i - (size - 1) // 2):min(c - 1, i + size // 2) + 1]
        y[:, i] = x[:, i] / (a.get("bias", 1.0) + a.get("alpha", 1e-4) / size *
                             (part ** 2).sum(axis=1)) ** a.get("beta", 0.75)
    return y


@op("LpNormalization")
def lp_norm(a, x):
    p, axis = a.get("p", 2), a.get("axis", -1)
    return x / (np.abs(x) ** p).sum(axis=axis, keepdims=True) ** (1 / p)


@op("Gemm")
def gemm(a, x, y, c=0):
    x, y = x.T if a.get("transA", 0) else x, y.T if a.get("transB", 0) else y
    return a.get("alpha", 1.0) * (x @ y) + a.get("beta", 1.0) * c


op("MatMul")(lambda a, x, y: np.matmul(x, y))

# ---- shapes ------------------------------------------------------------------------------------------

op("Shape")(lambda a, x: np.array(x.shape[a.get("start", 0):a.get("end", x.ndim)], dtype=np.int64))
op("Transpose")(lambda a, x: x.transpose(a.get("perm")))
op("Concat")(lambda a, *xs: np.concatenate(xs, axis=a["axis"]))
op("Expand")(lambda a, x, shape: x * np.ones(shape, dtype=x.dtype) if x.dtype != np.bool_ else
             np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape))))
# beyond the ends the standard says nothing: Lunette takes the element at the end
op("Gather")(lambda a, x, i: np.take(x, np.clip(i, -x.shape[a.get("axis", 0)], x.shape[a.get("axis", 0)] - 1).astype(
    np.int64), axis=a.get("axis", 0)))
op("GatherElements")(lambda a, x, i: np.take_along_axis(
    x, np.where(i < 0, i + x.shape[a.get("axis", 0)], i).astype(np.int64), axis=a.get("axis", 0)))


@op("ScatterElements")
def scatter_elements(a, x, i, updates):
    y, axis = x.copy(), a.get("axis", 0)
    np.put_along_axis(y, np.where(i < 0, i + x.shape[axis], i).astype(np.int64), updates, axis=axis)
    return y


op("Unsqueeze")(lambda a, x, axes: np.expand_dims(x, tuple(int(i) for i in axes)))
op("Squeeze")(lambda a, x, axes=None: np.squeeze(x, None if axes is None else tuple(int(i) for i in axes)))


@op("Flatten")
def flatten(a, x):
    axis = a.get("axis", 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


@op("Reshape")
def reshape(a, x, shape):
    if a.get("allowzero", 0):
        raise Unknown("allowzero")
    return x.reshape([x.shape[i] if s == 0 else int(s) for i, s in enumerate(shape)])


@op("Slice")
def take_slice(a, x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    where = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        start, end, axis, step, n = int(start), int(end), int(axis), int(step), x.shape[int(axis)]
        start, end = start + n if start < 0 else start, end + n if end < 0 else end
        low, high = (0, n) if step > 0 else (-1, n - 1)
        start, end = min(max(start, max(low, 0)), high), min(max(end, low), n)
        where[axis] = slice(start, None if end < 0 else end, step)
    return x[tuple(where)]


@op("Pad")
def pad(a, x, pads, value=0, axes=None):
    mode = text(a.get("mode", "constant"))
    axes = list(range(x.ndim)) if axes is None else [int(i) % x.ndim for i in axes]
    width = [(0, 0)] * x.ndim
    for k, i in enumerate(axes):
        width[i] = (int(pads[k]), int(pads[len(axes) + k]))
    cut = tuple(slice(max(0, -lo), n - max(0, -hi)) for (lo, hi), n in zip(width, x.shape))
    width = [(max(0, lo), max(0, hi)) for lo, hi in width]
    if mode == "constant":
        return np.pad(x[cut], width, constant_values=value)
    return np.pad(x[cut], width, mode=mode)


@op("DepthToSpace")
def depth_to_space(a, x):
    n, c, h, w = x.shape
    b = a["blocksize"]
    if text(a.get("mode", "DCR")) == "DCR":
        return x.reshape(n, b, b, c // b // b, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // b // b, h * b, w * b)
    return x.reshape(n, c // b // b, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // b // b, h * b, w * b)


@op("SpaceToDepth")
def space_to_depth(a, x):
    n, c, h, w = x.shape
    b = a["blocksize"]
    return x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


# ---- reductions ----------------------------------------------------------------------------------------

REDUCE = {
    "ReduceSum": np.sum, "ReduceMean": np.mean, "ReduceMax": np.max, "ReduceMin": np.min, "ReduceProd": np.prod,
    "ReduceL1": lambda x, **k: np.abs(x).sum(**k), "ReduceL2": lambda x, **k: np.sqrt((x * x).sum(**k)),
    "ReduceSumSquare": lambda x, **k: (x * x).sum(**k), "ReduceLogSum": lambda x, **k: np.log(x.sum(**k)),
    "ReduceLogSumExp": lambda x, **k: np.log(np.exp(x).sum(**k)),
}


def reduce(a, x, axes=None, f=None):
    axes = a.get("axes") if axes is None else axes
    if (axes is None or len(axes) == 0) and a.get("noop_with_empty_axes", 0):
        return x
    axes = None if axes is None or len(axes) == 0 else tuple(int(i) for i in axes)
    return f(x, axis=axes, keepdims=bool(a.get("keepdims", 1)))


for name in REDUCE:
    op(name)(lambda a, x, axes=None, f=REDUCE[name]: reduce(a, x, axes, f))


@op("ArgMax", "ArgMin")
def arg(a, x, f=np.argmax):
    axis = a.get("axis", 0)
    if a.get("select_last_index", 0):
        y = x.shape[axis] - 1 - f(np.flip(x, axis), axis=axis)
    else:
        y = f(x, axis=axis)
    return np.expand_dims(y, axis) if a.get("keepdims", 1) else y


op("ArgMin")(lambda a, x: arg(a, x, np.argmin))


@op("Resize")
def resize(a, x, roi=None, scales=None, sizes=None):
    """Axis by axis as a matrix of weights: out × in."""
    mode, coordinates = text(a.get("mode", "nearest")), text(a.get("coordinate_transformation_mode", "half_pixel"))
    nearest, cube = text(a.get("nearest_mode", "round_prefer_floor")), a.get("cubic_coeff_a", -0.75)
    outside, extrapolation = a.get("exclude_outside", 0), a.get("extrapolation_value", 0.0)
    scales = None if scales is not None and scales.size == 0 else scales
    beyond = np.zeros(x.shape, dtype=bool)
    for axis in range(x.ndim):
        n = x.shape[axis]
        scale = float(sizes[axis]) / n if scales is None else float(scales[axis])
        out = int(sizes[axis]) if scales is None else int(math.floor(n * scale))
        if scale == 1 and coordinates != "tf_crop_and_resize":
            continue
        m, gone = np.zeros((out, n)), np.zeros(out, dtype=bool)
        for i in range(out):
            at = {"half_pixel": (i + 0.5) / scale - 0.5, "asymmetric": i / scale,
                  "pytorch_half_pixel": (i + 0.5) / scale - 0.5 if out > 1 else 0.0,
                  "align_corners": i * (n - 1) / ((out if scales is None else n * scale) - 1) if out > 1 else 0.0}.get(coordinates)
            if coordinates == "tf_crop_and_resize":
                lo, hi = float(roi[axis]), float(roi[x.ndim + axis])
                at = lo * (n - 1) + i * (hi - lo) * (n - 1) / (out - 1) if out > 1 else 0.5 * (lo + hi) * (n - 1)
                gone[i] = at < 0 or at > n - 1
            if at is None:
                raise Unknown(coordinates)
            if mode == "nearest":
                k = {"round_prefer_floor": math.ceil(at - 0.5), "round_prefer_ceil": math.floor(at + 0.5),
                     "floor": math.floor(at), "ceil": math.ceil(at)}[nearest]
                m[i, min(max(k, 0), n - 1)] = 1
                continue
            first, part = math.floor(at), at - math.floor(at)
            if mode == "linear":
                taps = {0: 1 - part, 1: part}
            else:
                d = {-1: 1 + part, 0: part, 1: 1 - part, 2: 2 - part}
                taps = {k: (cube + 2) * t ** 3 - (cube + 3) * t ** 2 + 1 if t <= 1 else
                        cube * t ** 3 - 5 * cube * t ** 2 + 8 * cube * t - 4 * cube for k, t in d.items()}
            if outside:
                taps = {k: w for k, w in taps.items() if 0 <= first + k < n}
                all_of = sum(taps.values())
                taps = {k: w / all_of for k, w in taps.items()}
            for k, w in taps.items():
                m[i, min(max(first + k, 0), n - 1)] += w
        x = np.moveaxis(np.tensordot(m, x, (1, axis)), 0, axis)
        shape = [1] * x.ndim
        shape[axis] = out
        beyond = np.repeat(np.take(beyond, [0], axis=axis), out, axis=axis) | gone.reshape(shape)
    return np.where(beyond, extrapolation, x)


# ---- models ------------------------------------------------------------------------------------------


def widen(v):
    return v.astype(float) if v.dtype in (np.float32, np.float16) else v


def constant(a):
    if "value" in a:
        return widen(numpy_helper.to_array(a["value"]))
    for key in ("value_float", "value_floats", "value_int", "value_ints"):
        if key in a:
            return np.array(a[key], dtype=float if "float" in key else np.int64)
    raise Unknown("Constant")


def evaluate(model, inputs):
    values = {t.name: widen(numpy_helper.to_array(t)) for t in model.graph.initializer}
    values.update(inputs)
    for node in model.graph.node:
        a = attributes(node)
        if node.op_type == "Constant":
            values[node.output[0]] = constant(a)
            continue
        if node.op_type not in OPS:
            raise Unknown(node.op_type)
        args = [values[i] if i else None for i in node.input]
        # Min and Max take any number of inputs
        y = args[0]
        if node.op_type in ("Min", "Max", "Sum", "Mean"):
            for other in args[1:]:
                y = OPS[node.op_type](a, y, other)
        else:
            y = OPS[node.op_type](a, *args)
        several = y if isinstance(y, tuple) else (y,)
        if len(node.output) > len(several):
            raise Unknown(node.op_type)
        for name, y in zip(node.output, several):
            values[name] = np.asarray(y)
    return [values[o.name] for o in model.graph.output]


def close(y, wanted, what, bound):
    y, wanted = np.asarray(y, dtype=float), np.asarray(wanted, dtype=float)
    if y.shape != wanted.shape:
        return f"{what}: shape {y.shape}, wanted {wanted.shape}"
    y, wanted = y[~np.isnan(wanted)], wanted[~np.isnan(wanted)]  # NaN: the answer is not sure
    if not np.array_equal(np.isfinite(y), np.isfinite(wanted)):
        return f"{what}: infinities or NaN differ"
    y, wanted = y[np.isfinite(y)], wanted[np.isfinite(wanted)]
    error = np.linalg.norm(y - wanted) / (np.linalg.norm(wanted) + 1e-6)
    return None if error <= bound else f"{what}: relative error {error:.3g}"


def file_fails(path):
    model = onnx.load(path)
    checker.check_model(model, full_check=True)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    arrays = [np.load(f"{path}.in{i}.npy") for i in range(len(model.graph.input))]
    inputs = {}
    for info, array in zip(model.graph.input, arrays):
        to = TYPES[info.type.tensor_type.elem_type]
        inputs[info.name] = widen(array) if to is np.float32 else array.astype(to)
    outputs = evaluate(model, inputs)
    for i, y in enumerate(outputs):
        wanted = np.load(f"{path}.out{i}.npy")
        shape = [d.dim_value for d in model.graph.output[i].type.tensor_type.shape.dim]
        if list(y.shape) != shape:
            return f"output {i}: shape {y.shape}, the model says {shape}"
        why = close(y, wanted, f"output {i}", 2e-5)
        if why:
            return why
    return None


def case_fails(folder):
    model = onnx.load(os.path.join(folder, "model.onnx"))
    data = os.path.join(folder, "test_data_set_0")

    def tensors(kind):
        out = []
        for i in range(len(glob.glob(os.path.join(data, f"{kind}_*.pb")))):
            t = onnx.TensorProto()
            with open(os.path.join(data, f"{kind}_{i}.pb"), "rb") as f:
                t.ParseFromString(f.read())
            out.append(widen(numpy_helper.to_array(t)))
        return out

    names = [i.name for i in model.graph.input]
    got = evaluate(model, dict(zip(names, tensors("input"))))
    for i, (y, wanted) in enumerate(zip(got, tensors("output"))):
        why = close(y, wanted, f"output {i}", 1e-5)
        if why:
            return why
    return None


def main():
    np.seterr(all="ignore")
    cases = sys.argv[1] == "--cases"
    paths = sys.argv[2:] if cases else sys.argv[1:]
    failed, unknown, used = 0, 0, set()
    for path in paths:
        try:
            why = case_fails(path) if cases else file_fails(path)
        except Unknown as e:
            why, unknown = (None, unknown + 1) if cases else (f"{e} is not known here", unknown + 1)
        if not cases:
            used |= {n.op_type for n in onnx.load(path).graph.node}
        if why:
            print(f"{path}: {why}")
            failed += 1
    print(f"evaluate.py: {len(paths)} models, {len(used)} ops, {unknown} with unknown ops, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
