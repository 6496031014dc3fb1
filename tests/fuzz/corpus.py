#!/usr/bin/python3
"""Makes the seeds of corpus/ (python3-numpy, python3-onnx, libturbojpeg0); run once, the results are in the repository.
Beside each good file stand one cut short and one with flipped bits. Argument: the program lunette, which prints the text
forms."""
import ctypes
import gzip
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
rng = random.Random(3)


def put(target, name, data, damage=True):
    os.makedirs(f"{HERE}/{target}", exist_ok=True)
    with open(f"{HERE}/{target}/{name}", "wb") as f:
        f.write(data)
    if not damage or len(data) < 8:
        return
    with open(f"{HERE}/{target}/{name}.cut", "wb") as f:
        f.write(data[: rng.randrange(len(data) // 2, len(data))])
    flipped = bytearray(data)
    for _ in range(3):
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    with open(f"{HERE}/{target}/{name}.flipped", "wb") as f:
        f.write(flipped)


# ---- arrays -----------------------------------------------------------------------------------------

def npy(array):
    f = io.BytesIO()
    np.save(f, array)
    return f.getvalue()


ARRAYS = {
    "f32": np.arange(6, dtype="<f4").reshape(2, 3),
    "f64-fortran": np.asfortranarray(np.arange(6, dtype="<f8").reshape(3, 2)),
    "u2-swapped": np.arange(4, dtype=">u2"),
    "f16": np.arange(5, dtype="<f2"),
    "bool": np.array([[True], [False]]),
    "scalar": np.array(7, "<i8"),
    "empty": np.zeros((2, 0, 3), "<f4"),
}


def archive(members, method):
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w", method) as z:
        for name, array in members:
            z.writestr(name, npy(array))
    return f.getvalue()


def idx(kind, shape, data):
    return struct.pack(">BBBB", 0, 0, kind, len(shape)) + b"".join(struct.pack(">I", n) for n in shape) + data


def arrays():
    for name, a in ARRAYS.items():
        put("npy", name, npy(a))
    members = [("a.npy", ARRAYS["f32"]), ("folder/b.npy", ARRAYS["u2-swapped"])]
    put("npz", "stored", archive(members, zipfile.ZIP_STORED))
    put("npz", "deflated", archive(members, zipfile.ZIP_DEFLATED))
    put("npz", "twice", archive(members + members[:1], zipfile.ZIP_STORED), damage=False)
    for name, data in [("u8", idx(8, [2, 3], bytes(range(6)))), ("f32", idx(13, [2], struct.pack(">ff", 1, 2)))]:
        put("idx", name, data)
        put("idx", name + ".gz", gzip.compress(data, mtime=0))
    put("idx", "huge", idx(8, [1 << 31, 1 << 31], b"1234"), damage=False)


def tensors(entries, data, metadata=None):
    header = dict(entries)
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def safetensors():
    one = {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}
    put("safetensors", "one", tensors({"a.weight": one}, bytes(8)))
    more = {"a": one, "b": {"dtype": "BF16", "shape": [3], "data_offsets": [8, 14]},
            "c": {"dtype": "I64", "shape": [], "data_offsets": [14, 22]}}
    put("safetensors", "more", tensors(more, bytes(22), {"format": "pt"}))
    put("safetensors", "overlap", tensors({"a": one, "b": one}, bytes(8)), damage=False)
    far = {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 1 << 63]}
    put("safetensors", "far", tensors({"a": far}, bytes(8)), damage=False)
    put("safetensors", "length", struct.pack("<Q", 1 << 63) + b"{}", damage=False)


# ---- pictures ---------------------------------------------------------------------------------------

def png(width, height, depth, colour, row, extra=b"", interlace=0):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = zlib.compress(b"".join(b"\0" + row for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def jpeg(width, height, gray, flags):
    lib = ctypes.CDLL("libturbojpeg.so.0")
    lib.tjInitCompress.restype = ctypes.c_void_p
    out, size = ctypes.POINTER(ctypes.c_ubyte)(), ctypes.c_ulong(0)
    pixels = bytes(rng.randrange(256) for _ in range(width * height * (1 if gray else 3)))
    code = lib.tjCompress2(ctypes.c_void_p(lib.tjInitCompress()), pixels, width, 0, height, 6 if gray else 0,
                           ctypes.byref(out), ctypes.byref(size), 3 if gray else 2, 60, flags)
    assert code == 0
    return bytes(out[: size.value])


def images():
    put("image", "gray.png", png(4, 3, 8, 0, b"\1\2\3\4"))
    put("image", "deep.png", png(2, 2, 16, 2, bytes(range(12))))
    put("image", "rgba.png", png(2, 2, 8, 6, b"\1\2\3\xff\4\5\6\xff"))
    plte = struct.pack(">I", 6) + b"PLTE\0\0\0\xff\xff\xff" + struct.pack(">I", zlib.crc32(b"PLTE\0\0\0\xff\xff\xff"))
    put("image", "palette.png", png(8, 2, 1, 3, b"\xa5", plte))
    put("image", "huge.png", png(1 << 15, 1 << 15, 8, 2, b"")[:80], damage=False)
    for kind in (b"sPLT", b"iCCP", b"zTXt", b"PLTE", b"tRNS", b"IDAT"):  # claims half a gigabyte
        claim = struct.pack(">I", 0x20000006) + kind + b"EDAT"
        put("image", f"long-{kind.decode()}.png", png(8, 2, 1, 3, b"", b"")[:33] + claim, damage=False)
    put("image", "gray.jpg", jpeg(9, 8, True, 0))
    put("image", "colour.jpg", jpeg(18, 17, False, 0))
    put("image", "progressive.jpg", jpeg(16, 16, False, 16384))
    put("image", "s.pgm", b"P5 3 2 255\nabcdef")
    put("image", "deep.pgm", b"P5\n# note\n2 1 65535\nabcd")
    put("image", "text.ppm", b"P3 2 1 9 1 2 3 4 5 6\n")
    put("image", "s.ppm", b"P6 1 2 200\nabcdef")


# ---- ONNX -------------------------------------------------------------------------------------------

def ints(name, *v):
    return numpy_helper.from_array(np.array(v, np.int64), name)


def floats(name, *shape):
    v = (np.arange(int(np.prod(shape))) % 7 - 3).astype(np.float32) / 4
    return numpy_helper.from_array(v.reshape(shape), name)


def model(nodes, inits, x=(1, 2, 6, 6), opset=13, dtype=TensorProto.FLOAT):
    ins = [helper.make_tensor_value_info("x", dtype, x)]
    outs = [helper.make_tensor_value_info("y", dtype, None)]
    graph = helper.make_graph(nodes, "g", ins, outs, inits)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]).SerializeToString()


def node(op, more=(), x="x", y="y", **attr):
    return helper.make_node(op, [x, *more], [y] if isinstance(y, str) else y, **attr)


def models():
    def one(name, op, inits=(), **attr):
        own = {k: attr.pop(k) for k in ("opset", "dtype") if k in attr}
        x = attr.pop("shape", (1, 2, 6, 6))
        put("onnx", name, model([node(op, [i.name for i in inits], **attr)], list(inits), x=x, **own), damage=name == "conv")
    one("conv", "Conv", [floats("w", 3, 2, 3, 3), floats("b", 3)], pads=[1, 1, 1, 1], strides=[2, 2])
    one("conv-same", "Conv", [floats("w", 4, 1, 3, 3)], auto_pad="SAME_UPPER", group=2, dilations=[2, 1])
    one("conv1", "Conv", [floats("w", 3, 2, 3)], shape=(1, 2, 9))
    one("transposed", "ConvTranspose", [floats("w", 2, 3, 3, 3)], strides=[2, 2], output_padding=[1, 1])
    one("maxpool", "MaxPool", kernel_shape=[3, 2], ceil_mode=1, strides=[2, 2])
    one("avgpool", "AveragePool", kernel_shape=[2, 2], count_include_pad=1, pads=[1, 0, 0, 1])
    one("batchnorm", "BatchNormalization", [floats(n, 2) for n in "sbmv"])
    one("instancenorm", "InstanceNormalization", [floats("s", 2), floats("b", 2)])
    one("layernorm", "LayerNormalization", [floats("s", 6)], opset=17)
    one("lrn", "LRN", size=3)
    one("gemm", "Gemm", [floats("b", 6, 4), floats("c", 4)], shape=(3, 6), alpha=0.5)
    one("matmul", "MatMul", [floats("b", 6, 4)])
    one("reshape", "Reshape", [ints("s", 0, -1)])
    one("transpose", "Transpose", perm=[0, 2, 3, 1])
    one("slice", "Slice", [ints("a", 1, 0), ints("e", 5, 6), ints("ax", 2, 3), ints("st", 2, 1)])
    one("slice-1", "Slice", opset=9, starts=[1], ends=[-1], axes=[3])
    one("pad", "Pad", [ints("p", 0, 0, 1, 1, 0, 0, 2, 2)], mode="reflect")
    one("resize", "Resize", [ints("none"), floats("f", 0), ints("s", 1, 2, 9, 3)][1:], mode="linear", opset=10)
    one("sizes", "Resize", [floats("roi", 0), floats("scales", 0), ints("sizes", 1, 2, 12, 3)], mode="cubic")
    one("softmax", "Softmax", axis=-1)
    one("reduce", "ReduceSum", [ints("a", 2, -1)], keepdims=0)
    one("mean", "ReduceMean", axes=[1])
    one("gather", "Gather", [ints("i", 1, -1)], axis=1)
    one("expand", "Expand", [ints("s", 3, 1, 2, 6, 6)])
    one("prelu", "PRelu", [floats("s", 2, 1, 1)])
    one("clip", "Clip", [floats("lo"), floats("hi")])
    one("depth", "DepthToSpace", blocksize=2, shape=(1, 8, 2, 2), mode="CRD")
    one("split", "Split", [ints("s", 1, 1)], axis=1, y=["y", "z"])
    one("shape", "Shape")
    one("dropout", "Dropout", y=["y", "m"])
    one("elu", "Elu", alpha=2.0)
    one("argmax", "ArgMax", axis=1, keepdims=0)
    one("long", "Identity", dtype=TensorProto.INT64, shape=(3,))
    one("unsqueeze", "Unsqueeze", [ints("a", 0, -1)])
    one("empty", "Relu", shape=(0, 3))
    one("empty-sum", "ReduceSum", [ints("a", 1)], shape=(2, 0, 3))
    one("empty-pool", "GlobalAveragePool", shape=(1, 2, 0, 4))
    one("empty-split", "Split", [ints("s", 0, 2)], axis=1, y=["z", "y"])
    one("empty-slice", "Slice", [ints("a", 9), ints("e", 9), ints("ax", 2)])
    chain = [node("Conv", ["w"], y="c"), node("Relu", x="c", y="r"), node("GlobalAveragePool", x="r", y="p"),
             node("Flatten", x="p", y="f"), node("Gemm", ["v"], x="f", y="g", transB=1), node("Softmax", x="g")]
    put("onnx", "chain", model(chain, [floats("w", 4, 2, 1, 1), floats("v", 3, 4)]))
    sums = [node("Shape", y="s"), node("Gather", ["zero"], x="s", y="n"), node("Concat", ["rest"], x="n", y="t", axis=0),
            node("Reshape", ["t"])]
    put("onnx", "shapes", model(sums, [ints("zero", 0), ints("rest", 2, -1)]))
    put("onnx", "cycle", model([node("Add", ["b"], y="a"), node("Relu", x="a", y="b"), node("Neg", x="b")], []), False)
    put("onnx", "open", model([node("Relu")], [], x=("n", 2, "h", None)), False)
    put("onnx", "negative", model([node("Relu")], [], x=(1, -2, 3)), False)
    put("onnx", "large", model([node("Relu")], [], x=(1 << 40, 1 << 40)), False)
    leaves = floats("w", 3, 2, 3, 3)
    leaves.data_location = TensorProto.EXTERNAL
    leaves.ClearField("raw_data")
    for key, value in [("location", "../../etc/passwd"), ("offset", "0"), ("length", "216")]:
        leaves.external_data.add(key=key, value=value)
    put("onnx", "leaves", model([node("Conv", ["w"])], [leaves]), False)
    nest = helper.make_graph([node("Relu")], "inner", [], [])
    put("onnx", "if", model([helper.make_node("If", ["x"], ["y"], then_branch=nest, else_branch=nest)], []), False)


def protos():
    for name, t in [("f32", floats("t", 2, 3)), ("i64", ints("t", 1, -1)),
                    ("f16", numpy_helper.from_array(np.arange(3).astype(np.float16), "t")),
                    ("typed", helper.make_tensor("t", TensorProto.FLOAT, [2], [1.0, 2.0])),
                    ("bools", helper.make_tensor("t", TensorProto.BOOL, [2], [True, False]))]:
        put("tensor", name, t.SerializeToString())
    t = ints("t", 1)
    t.dims[:] = [1 << 62, 8]
    put("tensor", "large", t.SerializeToString(), damage=False)


# ---- texts ------------------------------------------------------------------------------------------

SPECS = {
    "conv.lua": """local x = input { "x", 3, 9, 7 }
return x:conv { 8, 3, stride = 2, pad = "same", name = "c" }:batchnorm():relu():maxpool { 2 }
""",
    "residual.lua": """local x = input { "x", 4, 6, 6 }
local y = x:conv { 4, 3, pad = 1, groups = 2, bias = false }
return { sum = x + y, mean = y:globalavgpool():flatten():dense { param("n", 5) }:softmax() }
""",
    "pools.lua": """local x = input { "x", 2, 8 }
local function block(v, k) return scope("b" .. k, function() return v:avgpool { k, pad = 1, stride = 1 } end) end
for i = 2, 3 do x = block(x, i) end
return concat { x, x }:tanh()
""",
}


# Texts that were read wrongly once: what is wrong stands after the end.
AFTER = {
    "kernel": 'kernel k(in x : f32[c2], out y : f32[c2])\n{\n    for c 2 { y[c] = x[c]; }\n}\n"',
    "graph": 'graph g {\n    x: input() : f32[n1 c2]\n    y: relu(x) : f32[n1 c2]\n    return y = y\n}\n"',
    "plan": 'plan p {\n}\n"',
}


def texts(lunette):
    def dump(path, letters):
        return subprocess.run([lunette, "dump", path, "-d", letters], check=True, capture_output=True).stdout.decode()
    for target, text in AFTER.items():
        put(target, "after", text.encode(), damage=False)
    for name, text in SPECS.items():
        put("spec", name, text.encode())
        path = f"{HERE}/spec/{name}"
        stem = name[:-4]
        for letters, what in [("w", "written"), ("l", "layout")]:
            graph = dump(path, letters)
            put("graph", f"{stem}-{what}", graph.replace(f"{HERE}/spec/", "").encode(), damage=what == "layout")
        put("plan", stem, dump(path, "p").encode())
        for k, kernel in enumerate(re.findall(r"^kernel .*?^}\n", dump(path, "ks"), re.M | re.S)):
            put("kernel", f"{stem}-{k}", kernel.encode(), damage=k % 3 == 0)


arrays()
safetensors()
images()
models()
protos()
texts(sys.argv[1])
