"""ONNX operators as differentiable torch functions.

Each builder takes a node's attributes and the version of the operator set, and returns the function of the node's
inputs. An input that a graph leaves out arrives as None. Source: ONNX Operator Schemas, ai.onnx, versions 7 to 21.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Attributes = Mapping[str, Any]
Operator = Callable[..., Tensor]
Builder = Callable[[Attributes, int], Operator]


class UnsupportedError(Exception):
    """An attribute asks for what this reader does not do; the graph reader names the node and the file."""


def _plain(function: Operator) -> Builder:
    """A builder for operators without attributes."""
    return lambda attributes, version: function


def _only_2d(attributes: Attributes, key: str) -> None:
    if len(attributes.get(key, (1, 1))) != 2:
        raise UnsupportedError(f"{key} = {attributes[key]}; only two spatial axes are read")


def _edges(attributes: Attributes, kernel: list[int], extent: tuple[int, int]) -> list[int]:
    """Padding as torch's left, right, top, bottom."""
    mode = attributes.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
        return [left, right, top, bottom]
    if mode == "VALID":
        return [0, 0, 0, 0]
    edges: list[int] = []
    strides, dilations = attributes.get("strides", (1, 1)), attributes.get("dilations", (1, 1))
    for size, window, stride, dilation in zip(extent, kernel, strides, dilations, strict=True):
        total = max(0, (math.ceil(size / stride) - 1) * stride + (window - 1) * dilation + 1 - size)
        less, more = total // 2, total - total // 2
        edges = ([less, more] if mode == "SAME_UPPER" else [more, less]) + edges
    return edges


def _symmetric(edges: list[int]) -> bool:
    return edges[0] == edges[1] and edges[2] == edges[3]


def _conv(attributes: Attributes, version: int) -> Operator:
    _only_2d(attributes, "kernel_shape")
    stride, dilation = list(attributes.get("strides", (1, 1))), list(attributes.get("dilations", (1, 1)))
    groups = attributes.get("group", 1)

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        edges = _edges(attributes, list(weight.shape[2:]), (x.shape[2], x.shape[3]))
        padding = [edges[2], edges[0]]
        if not _symmetric(edges):
            x, padding = functional.pad(x, edges), [0, 0]
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)

    return run


def _max_pool(attributes: Attributes, version: int) -> Operator:
    _only_2d(attributes, "kernel_shape")
    kernel, stride = list(attributes["kernel_shape"]), list(attributes.get("strides", (1, 1)))
    dilation, ceil = list(attributes.get("dilations", (1, 1))), bool(attributes.get("ceil_mode", 0))

    def run(x: Tensor) -> Tensor:
        edges = _edges(attributes, kernel, (x.shape[2], x.shape[3]))
        padding = [edges[2], edges[0]]
        if not _symmetric(edges):
            x, padding = functional.pad(x, edges, value=-math.inf), [0, 0]
        return functional.max_pool2d(x, kernel, stride, padding, dilation, ceil)

    return run


def _average_pool(attributes: Attributes, version: int) -> Operator:
    _only_2d(attributes, "kernel_shape")
    if attributes.get("ceil_mode", 0) or set(attributes.get("dilations", (1, 1))) != {1}:
        raise UnsupportedError("ceil_mode = 1 or dilations other than 1")
    kernel, stride = list(attributes["kernel_shape"]), list(attributes.get("strides", (1, 1)))
    counts_padding = bool(attributes.get("count_include_pad", 0))

    def run(x: Tensor) -> Tensor:
        edges = _edges(attributes, kernel, (x.shape[2], x.shape[3]))
        if not any(edges):
            return functional.avg_pool2d(x, kernel, stride)
        average = functional.avg_pool2d(functional.pad(x, edges), kernel, stride)
        if counts_padding:
            return average
        inside = functional.pad(torch.ones_like(x[:1, :1]), edges)
        return average / functional.avg_pool2d(inside, kernel, stride)

    return run


def _batch_normalization(attributes: Attributes, version: int) -> Operator:
    if attributes.get("training_mode", 0) or not attributes.get("spatial", 1):
        raise UnsupportedError("training_mode = 1 or spatial = 0")
    epsilon = attributes.get("epsilon", 1e-5)

    def run(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        scale = gamma / torch.sqrt(variance + epsilon)
        shape = (-1,) + (1,) * (x.ndim - 2)
        return x * scale.reshape(shape) + (beta - mean * scale).reshape(shape)

    return run


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    # torch's own backward passes of prelu and clamp are several times slower than those of relu and hardtanh.
    if slope.numel() == 1:
        return functional.leaky_relu(x, slope.item())
    return torch.addcmul(torch.relu(x), torch.relu(-x), -slope)


def _clip(attributes: Attributes, version: int) -> Operator:
    def run(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
        lowest = attributes.get("min", -math.inf) if low is None else low.item()
        highest = attributes.get("max", math.inf) if high is None else high.item()
        return functional.hardtanh(x, lowest, highest) if lowest < highest else torch.clamp(x, lowest, highest)

    return run


def _div(x: Tensor, y: Tensor) -> Tensor:
    whole = not x.is_floating_point() and not y.is_floating_point()
    return torch.div(x, y, rounding_mode="trunc") if whole else torch.div(x, y)


def _flatten(attributes: Attributes, version: int) -> Operator:
    axis = attributes.get("axis", 1)
    return lambda x: x.reshape(math.prod(x.shape[: axis if axis >= 0 else axis + x.ndim]), -1)


def _gemm(attributes: Attributes, version: int) -> Operator:
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    turn_a, turn_b = attributes.get("transA", 0), attributes.get("transB", 0)

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        product = alpha * ((a.T if turn_a else a) @ (b.T if turn_b else b))
        return product if c is None else product + beta * c

    return run


def _reshape(attributes: Attributes, version: int) -> Operator:
    keeps_zeros = attributes.get("allowzero", 0)

    def run(x: Tensor, shape: Tensor) -> Tensor:
        wanted = [int(extent) for extent in shape.tolist()]
        if not keeps_zeros:
            wanted = [x.shape[axis] if extent == 0 else extent for axis, extent in enumerate(wanted)]
        return x.reshape(wanted)

    return run


def _transpose(attributes: Attributes, version: int) -> Operator:
    return lambda x: x.permute(list(attributes.get("perm", range(x.ndim)[::-1])))


def _softmax(attributes: Attributes, version: int) -> Operator:
    if version >= 13:
        axis = attributes.get("axis", -1)
        return lambda x: torch.softmax(x, axis)
    split = attributes.get("axis", 1)
    # Before version 13 everything from the axis on was one distribution.
    return lambda x: torch.softmax(x.flatten(split), -1).reshape(x.shape)


def _concat(attributes: Attributes, version: int) -> Operator:
    axis = attributes["axis"]
    return lambda *parts: torch.cat(parts, dim=axis)


def _leaky_relu(attributes: Attributes, version: int) -> Operator:
    slope = attributes.get("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


def _axes_of(attributes: Attributes, axes: Tensor | None) -> list[int]:
    """Axes stand in an attribute in older graphs and in an input in newer ones."""
    return list(attributes.get("axes", ())) if axes is None else [int(axis) for axis in axes.tolist()]


def _squeeze(attributes: Attributes, version: int) -> Operator:
    def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
        wanted = _axes_of(attributes, axes)
        return x.squeeze(tuple(wanted)) if wanted else x.squeeze()

    return run


def _unsqueeze(attributes: Attributes, version: int) -> Operator:
    def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
        wanted = _axes_of(attributes, axes)
        rank = x.ndim + len(wanted)
        for axis in sorted(axis % rank for axis in wanted):
            x = x.unsqueeze(axis)
        return x

    return run


def _reduce(function: Callable[[Tensor, list[int], bool], Tensor]) -> Builder:
    def build(attributes: Attributes, version: int) -> Operator:
        if attributes.get("noop_with_empty_axes", 0):
            raise UnsupportedError("noop_with_empty_axes = 1")
        keep = bool(attributes.get("keepdims", 1))

        def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
            return function(x, _axes_of(attributes, axes) or list(range(x.ndim)), keep)

        return run

    return build


def _gather(attributes: Attributes, version: int) -> Operator:
    axis = attributes.get("axis", 0)

    def run(x: Tensor, indices: Tensor) -> Tensor:
        flat = indices.reshape(-1).long() % x.shape[axis]
        dimension = axis % x.ndim
        picked = x.index_select(dimension, flat)
        return picked.reshape([*x.shape[:dimension], *indices.shape, *x.shape[dimension + 1 :]])

    return run


OPERATORS: dict[str, Builder] = {
    "Add": _plain(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _plain(_div),
    "Dropout": _plain(lambda x, *rest: x),
    "Erf": _plain(torch.erf),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _plain(lambda x: x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)),
    "Identity": _plain(lambda x: x),
    "LeakyRelu": _leaky_relu,
    "MatMul": _plain(torch.matmul),
    "MaxPool": _max_pool,
    "Mul": _plain(torch.mul),
    "PRelu": _plain(_prelu),
    "Pow": _plain(torch.pow),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, dim=axes, keepdim=keep)),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(dim=axes, keepdim=keep)),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Shape": _plain(lambda x: torch.tensor(x.shape)),
    "Sigmoid": _plain(torch.sigmoid),
    "Softmax": _softmax,
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Tanh": _plain(torch.tanh),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Operator name -> builder. `Constant` is no operation: the graph reader takes its value."""
