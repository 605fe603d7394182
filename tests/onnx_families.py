"""Small graphs with random weights, built as the exports of the recognizer families are: same operators and order."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tiny_onnx import make_model


class Graph:
    """Nodes and weights under construction; every method returns the name of what it computes."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, NDArray] = {}

    def add(self, operator: str, *inputs: str, outputs: int = 0, **attributes: object):
        names = [f"t{len(self.nodes)}_{number}" for number in range(outputs or 1)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names if outputs else names[0]

    def weight(self, *shape: int, scale: float = 0.3) -> str:
        return self.constant(self.random.normal(0, scale, shape).astype(np.float32))

    def constant(self, value: object) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(value)
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def conv(self, x: str, inputs: int, outputs: int, side: int = 3, stride: int = 1, group: int = 1) -> str:
        pads = [side // 2] * 4
        weight = self.weight(outputs, inputs // group, side, side)
        return self.add("Conv", x, weight, kernel_shape=[side, side], strides=[stride, stride], pads=pads, group=group)

    def norm(self, x: str, channels: int) -> str:
        positive = self.constant(self.random.uniform(0.5, 1.5, channels).astype(np.float32))
        scales = [self.weight(channels, scale=1.0) for _ in range(3)]
        return self.add("BatchNormalization", x, *scales, positive)

    def model(self, output: str, side: int, version: int) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("Identity", [output], ["y"]))
        return make_model(self.nodes, self.weights, ["n", 3, side, side], version)


def arcface() -> onnx.ModelProto:
    """IResNet (ArcFace R50, R100): norm, conv, norm, PReLU, conv, norm and a skip; norm, dropout, dense, norm."""
    g = Graph(1)
    x = g.add("PRelu", g.norm(g.conv("x", 3, 8), 8), g.weight(8, 1, 1))
    y = g.norm(g.conv(g.norm(x, 8), 8, 8), 8)
    y = g.norm(g.conv(g.add("PRelu", y, g.weight(8, 1, 1)), 8, 8, stride=2), 8)
    x = g.add("Add", y, g.norm(g.conv(x, 8, 8, side=1, stride=2), 8))
    x = g.add("Flatten", g.add("Dropout", g.norm(x, 8)))
    x = g.add("Gemm", x, g.weight(16, 8 * 8 * 8, scale=0.1), g.weight(16), transB=1)
    return g.model(g.norm(x, 16), 16, 13)


def sface() -> onnx.ModelProto:
    """MobileFaceNet as SFace has it: the graph itself subtracts and scales; depthwise convolutions; PReLU."""
    g = Graph(2)
    x = g.add("Mul", g.add("Sub", "x", g.constant(np.float32(0.5))), g.constant(np.float32(2.0)))
    x = g.add("PRelu", g.norm(g.conv(x, 3, 8, stride=2), 8), g.weight(8, 1, 1))
    y = g.add("PRelu", g.norm(g.conv(x, 8, 16, side=1), 16), g.weight(16, 1, 1))
    y = g.add("PRelu", g.norm(g.conv(y, 16, 16, group=16), 16), g.weight(16, 1, 1))
    x = g.add("Add", x, g.norm(g.conv(y, 16, 8, side=1), 8))
    x = g.add("Conv", x, g.weight(8, 1, 8, 8), kernel_shape=[8, 8], group=8)
    return g.model(g.add("Reshape", x, g.integers(-1, 8)), 16, 11)


def resnet() -> onnx.ModelProto:
    """Bottleneck blocks with ReLU and max pooling, global average, dense layer."""
    g = Graph(3)
    x = g.add("Relu", g.norm(g.conv("x", 3, 8, side=7, stride=2), 8))
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = g.add("Relu", g.norm(g.conv(x, 8, 4, side=1), 4))
    y = g.add("Relu", g.norm(g.conv(y, 4, 4), 4))
    x = g.add("Relu", g.add("Add", g.norm(g.conv(y, 4, 8, side=1), 8), x))
    x = g.add("Flatten", g.add("GlobalAveragePool", x))
    return g.model(g.add("Gemm", x, g.weight(8, 8), g.weight(8), transB=1), 20, 12)


def efficientnet() -> onnx.ModelProto:
    """Inverted residuals with SiLU and squeeze-and-excitation, a hard-swish head as in MobileNetV3."""
    g = Graph(4)

    def silu(x: str) -> str:
        return g.add("Mul", x, g.add("Sigmoid", x))

    x = silu(g.norm(g.conv("x", 3, 8, stride=2), 8))
    y = silu(g.norm(g.conv(x, 8, 16, side=1), 16))
    y = silu(g.norm(g.conv(y, 16, 16, side=5, group=16), 16))
    s = g.add("ReduceMean", y, axes=[2, 3], keepdims=1)
    s = g.add("HardSigmoid", g.conv(silu(g.conv(s, 16, 4, side=1)), 4, 16, side=1), alpha=1 / 6)
    x = g.add("Add", x, g.norm(g.conv(g.add("Mul", s, y), 16, 8, side=1), 8))
    x = g.add("Clip", x, g.constant(np.float32(-2)), g.constant(np.float32(2)))
    x = g.add("Squeeze", g.add("GlobalAveragePool", g.add("HardSwish", x)), g.integers(2, 3))
    return g.model(g.add("MatMul", x, g.weight(8, 8)), 16, 14)


def _attention(g: Graph, x: str, tokens: int, width: int, heads: int, fused: bool) -> str:
    each = width // heads
    if fused:
        projected = g.add("MatMul", x, g.weight(width, 3 * width))
        q, k, v = g.add("Split", projected, outputs=3, axis=-1, num_outputs=3)
    else:
        q, k, v = (g.add("Add", g.add("MatMul", x, g.weight(width, width)), g.weight(width)) for _ in range(3))
    shape = g.integers(0, tokens, heads, each)
    q, k, v = (g.add("Transpose", g.add("Reshape", part, shape), perm=[0, 2, 1, 3]) for part in (q, k, v))
    weights = g.add("MatMul", q, g.add("Transpose", k, perm=[0, 1, 3, 2]))
    weights = g.add("Softmax", g.add("Div", weights, g.constant(np.float32(each**0.5))), axis=-1)
    mixed = g.add("Transpose", g.add("MatMul", weights, v), perm=[0, 2, 1, 3])
    # As torch exports it: the batch is read from the tensor itself.
    batch = g.add("Gather", g.add("Shape", mixed), g.constant(np.int64(0)), axis=0)
    parts = [g.add("Unsqueeze", batch, g.integers(0)), g.integers(tokens), g.integers(width)]
    return g.add("MatMul", g.add("Reshape", mixed, g.add("Concat", *parts, axis=0)), g.weight(width, width))


def _layer_norm(g: Graph, x: str, width: int, fused: bool) -> str:
    scale, shift = g.weight(width, scale=1.0), g.weight(width)
    if fused:
        return g.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-6)
    centered = g.add("Sub", x, g.add("ReduceMean", x, axes=[-1]))
    variance = g.add("ReduceMean", g.add("Pow", centered, g.constant(np.float32(2))), axes=[-1])
    spread = g.add("Sqrt", g.add("Add", variance, g.constant(np.float32(1e-6))))
    return g.add("Add", g.add("Mul", g.add("Div", centered, spread), scale), shift)


def _gelu(g: Graph, x: str, fused: bool) -> str:
    if fused:
        return g.add("Gelu", x)
    bell = g.add("Erf", g.add("Div", x, g.constant(np.float32(2**0.5))))
    half = g.add("Mul", x, g.add("Add", bell, g.constant(np.float32(1))))
    return g.add("Mul", half, g.constant(np.float32(0.5)))


def vit(fused: bool) -> onnx.ModelProto:
    """A vision transformer: patches, class token, attention, MLP; operators of their own (`fused`) or spelled out."""
    g, width, tokens = Graph(5), 8, 5
    patches = g.add("Conv", "x", g.weight(width, 3, 8, 8), g.weight(width), kernel_shape=[8, 8], strides=[8, 8])
    batch = g.add("Slice", g.add("Shape", patches), g.integers(0), g.integers(1), g.integers(0))
    flat = g.add("Reshape", patches, g.add("Concat", batch, g.integers(width, -1), axis=0))
    x = g.add("Transpose", flat, perm=[0, 2, 1])
    token_shape = g.add("Concat", batch, g.integers(1, width), axis=0)
    if fused:
        token = g.add("Expand", g.weight(1, 1, width), token_shape)
    else:
        one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
        ones = g.add("ConstantOfShape", g.integers(3), value=one)
        unlike = g.add("Equal", token_shape, g.add("Mul", ones, g.integers(-1)))
        token = g.add("Expand", g.weight(1, 1, width), g.add("Where", unlike, ones, token_shape))
    x = g.add("Add", g.add("Concat", token, x, axis=1), g.weight(1, tokens, width))
    x = g.add("Add", x, _attention(g, _layer_norm(g, x, width, fused), tokens, width, 2, fused))
    y = g.add("MatMul", _layer_norm(g, x, width, fused), g.weight(width, 16))
    x = g.add("Add", x, g.add("MatMul", _gelu(g, y, fused), g.weight(16, width)))
    x = g.add("Gather", _layer_norm(g, x, width, fused), g.constant(np.int64(0)), axis=1)
    return g.model(g.add("Gemm", x, g.weight(6, width), g.weight(6), transB=1), 16, 20 if fused else 13)


FAMILIES = {
    "arcface": arcface,
    "sface": sface,
    "resnet": resnet,
    "efficientnet": efficientnet,
    "vit": lambda: vit(fused=False),
    "vit_fused": lambda: vit(fused=True),
}
