#!/usr/bin/python3
"""Train a network of specs/ with PyTorch and write its weights as safetensors.

    train.py --net lenet5|smallcnn --data DIR --out FILE.safetensors --predictions FILE.idx.gz
    train.py ... --check      train nothing: do the weights in --out give exactly --predictions?

DIR holds MNIST or Fashion-MNIST as four files, train-images-idx3-ubyte.gz and so on. See README.md.
"""
import argparse
import gzip
import json
import math
import os
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F


# ---- the networks; the names of the modules are the names in the specs -----------------------

class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):  # logits: the softmax of the spec is inside the loss here
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.tanh(self.fc1(torch.flatten(x, 1)))
        return self.fc3(torch.tanh(self.fc2(x)))


class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(cout)  # eps 1e-5, as in the spec

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = Block(1, 16)
        self.layer2 = Block(16, 32)
        self.layer3 = Block(32, 32)
        self.layer4 = Block(32, 64)
        self.layer5 = Block(64, 64)
        self.layer6 = Block(64, 128)
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(self.layer1(x), 2)
        x = F.max_pool2d(self.layer3(self.layer2(x)), 2)
        x = self.layer6(self.layer5(self.layer4(x)))
        return self.fc(x.mean((2, 3)))


NETS = {"lenet5": (LeNet5, 20), "smallcnn": (SmallCNN, 12)}  # the class, and the epochs it needs


# ---- files ------------------------------------------------------------------------------------

def read_idx(path):
    """One IDX file of bytes, gzip compressed, as a numpy array."""
    with gzip.open(path, "rb") as f:
        data = f.read()
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        sys.exit(f"{path}: not an IDX file of bytes")
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    if len(data) != 4 + 4 * len(shape) + math.prod(shape):
        sys.exit(f"{path}: {len(data)} bytes do not hold shape {shape}")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def write_file(path, data):
    """All of it or nothing."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".tmp", "wb") as f:
        f.write(data)
    os.replace(path + ".tmp", path)


def write_idx(path, labels):
    data = b"\0\0\x08\x01" + struct.pack(">I", len(labels)) + labels.astype(np.uint8).tobytes()
    write_file(path, gzip.compress(data, 9, mtime=0))  # no time inside: equal labels, equal file


def write_safetensors(path, tensors):
    """8 bytes little-endian header length, the header in JSON, then the raw data."""
    header, raw = {"__metadata__": {"format": "pt"}}, b""
    for name, t in tensors.items():
        data = t.detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(raw), len(raw) + len(data)]}
        raw += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begins on a multiple of 8
    write_file(path, struct.pack("<Q", len(text)) + text + raw)


def read_safetensors(path):
    with open(path, "rb") as f:
        data = f.read()
    (n,) = struct.unpack_from("<Q", data)
    header, raw = json.loads(data[8:8 + n]), data[8 + n:]
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(np.frombuffer(raw[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]).copy())
            for name, t in header.items()}


def images(path):
    """Pixels divided by 255 in float32 and nothing else, which is what Lunette does with an image."""
    x = torch.from_numpy(read_idx(path).astype(np.float32) / np.float32(255))
    return x[:, None]


# ---- training ---------------------------------------------------------------------------------

def augment(x, kind):
    """digits: a little rotation, scale, shear and shift. clothes: a flip half of the time and a shift."""
    n = len(x)
    a = torch.zeros(n, 2, 3)
    u = torch.rand(n, 7) * 2 - 1
    if kind == "digits":
        angle, scale = u[:, 0] * (10 * math.pi / 180), 1 + 0.1 * u[:, 1]
        a[:, 0, 0], a[:, 0, 1] = scale * angle.cos(), -scale * angle.sin() + 0.1 * u[:, 2]
        a[:, 1, 0], a[:, 1, 1] = scale * angle.sin(), scale * angle.cos()
        a[:, :, 2] = u[:, 3:5] * (2 * 2 / 28)                     # up to 2 pixels
    else:
        a[:, 0, 0], a[:, 1, 1] = torch.sign(u[:, 0]), 1
        a[:, :, 2] = (u[:, 3:5] * 1.5).round() * (2 / 28)         # -1, 0 or 1 pixel
    return F.grid_sample(x, F.affine_grid(a, x.shape, align_corners=False), align_corners=False)


def train(net, x, y, epochs, kind):
    batch = 128
    net.train().to(memory_format=torch.channels_last)             # faster here, and the same sums
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}])
    steps = len(x) // batch
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=4e-3, total_steps=epochs * steps, pct_start=0.25)
    for epoch in range(epochs):
        start, total = time.time(), 0.0
        order = torch.randperm(len(x))
        for i in range(steps):
            pick = order[i * batch:(i + 1) * batch]
            xb = x[pick]
            if epoch < epochs - 1:                                # the last epoch sees the images as they are
                xb = augment(xb, kind)
            loss = F.cross_entropy(net(xb.contiguous(memory_format=torch.channels_last)), y[pick])
            opt.zero_grad()
            loss.backward()
            opt.step()
            rate.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: loss {total / steps:.4f}, {time.time() - start:.1f} s", file=sys.stderr)


def predict(make, weights, x):
    """The class of every image, from the weights as they are in the file."""
    net = make()
    missing, extra = net.load_state_dict(read_safetensors(weights), strict=False)
    if extra or [m for m in missing if not m.endswith("num_batches_tracked")]:
        sys.exit(f"{weights}: missing {missing}, extra {extra}")
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part).argmax(1) for part in x.split(500)]).numpy().astype(np.uint8)


def main():
    p = argparse.ArgumentParser(description="Train a network of specs/ and write its weights as safetensors.")
    p.add_argument("--net", choices=NETS, required=True)
    p.add_argument("--data", required=True, metavar="DIR", help="folder with the four IDX files")
    p.add_argument("--out", required=True, metavar="FILE", help="weights, safetensors")
    p.add_argument("--predictions", required=True, metavar="FILE", help="classes of the test images, IDX, gzip")
    p.add_argument("--augment", choices=["digits", "clothes"], default="digits", help="how training images are varied")
    p.add_argument("--epochs", type=int, help="how often to go over the training images")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--check", action="store_true", help="train nothing, compare --out with --predictions")
    a = p.parse_args()
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    make, epochs = NETS[a.net]
    test_x = images(os.path.join(a.data, "t10k-images-idx3-ubyte.gz"))
    test_y = read_idx(os.path.join(a.data, "t10k-labels-idx1-ubyte.gz"))
    if not a.check:
        x = images(os.path.join(a.data, "train-images-idx3-ubyte.gz"))
        y = torch.from_numpy(read_idx(os.path.join(a.data, "train-labels-idx1-ubyte.gz")).astype(np.int64))
        net = make()
        train(net, x, y, a.epochs or epochs, a.augment)
        write_safetensors(a.out, {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")})
    classes = predict(make, a.out, test_x)
    if a.check:
        differ = int((classes != read_idx(a.predictions)).sum())
        print(f"{a.out}: {differ} predictions differ from {a.predictions}")
    else:
        write_idx(a.predictions, classes)
    right = int((classes == test_y).sum())
    print(f"{a.out}: {right} of {len(test_y)} right, {100 * right / len(test_y):.2f} %")
    if a.check and differ:
        sys.exit(1)


if __name__ == "__main__":
    main()
