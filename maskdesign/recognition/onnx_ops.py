"""ONNX operators as differentiable torch functions: those that compute, and the table of all.

Each builder takes a node's attributes and the version of the operator set, and returns the function of the node's
inputs. An input that a graph leaves out arrives as None. Source: ONNX Operator Schemas, ai.onnx, versions 7 to 21.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.recognition.onnx_builder import Attributes, Builder, Operator, UnsupportedError, axes_of, plain
from maskdesign.recognition.onnx_prelu import prelu
from maskdesign.recognition.onnx_shaping import SHAPING
from maskdesign.recognition.onnx_spatial import SPATIAL


def _batch_normalization(attributes: Attributes, version: int) -> Operator:
    if attributes.get("training_mode", 0) or not attributes.get("spatial", 1):
        raise UnsupportedError("training_mode = 1 or spatial = 0")
    epsilon = attributes.get("epsilon", 1e-5)

    def run(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        scale = gamma / torch.sqrt(variance + epsilon)
        shape = (-1,) + (1,) * (x.ndim - 2)
        return torch.addcmul((beta - mean * scale).reshape(shape), x, scale.reshape(shape))

    return run


def _layer_normalization(attributes: Attributes, version: int) -> Operator:
    axis, epsilon = attributes.get("axis", -1), attributes.get("epsilon", 1e-5)

    def run(x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
        extent = x.shape[axis:]
        shift = None if bias is None else bias.expand(extent)
        return functional.layer_norm(x, list(extent), scale.expand(extent), shift, epsilon)

    return run


def _instance_normalization(attributes: Attributes, version: int) -> Operator:
    epsilon = attributes.get("epsilon", 1e-5)
    return lambda x, scale, bias: functional.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


def _lp_normalization(attributes: Attributes, version: int) -> Operator:
    axis, power = attributes.get("axis", -1), attributes.get("p", 2)
    return lambda x: x / torch.linalg.vector_norm(x, power, dim=axis, keepdim=True)


def clip_bounds(attributes: Attributes, low: Tensor | None = None, high: Tensor | None = None) -> tuple[float, float]:
    """The bounds of Clip, which stand in attributes in older graphs and in inputs in newer ones."""
    lowest = attributes.get("min", -math.inf) if low is None else low.item()
    highest = attributes.get("max", math.inf) if high is None else high.item()
    return lowest, highest


def _clip(attributes: Attributes, version: int) -> Operator:
    def run(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
        lowest, highest = clip_bounds(attributes, low, high)
        # The backward pass of hardtanh is several times faster than that of clamp.
        return functional.hardtanh(x, lowest, highest) if lowest < highest else torch.clamp(x, lowest, highest)

    return run


def _div(x: Tensor, y: Tensor) -> Tensor:
    whole = not x.is_floating_point() and not y.is_floating_point()
    return torch.div(x, y, rounding_mode="trunc") if whole else torch.div(x, y)


def _gemm(attributes: Attributes, version: int) -> Operator:
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    turn_a, turn_b = attributes.get("transA", 0), attributes.get("transB", 0)

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        product = alpha * ((a.T if turn_a else a) @ (b.T if turn_b else b))
        return product if c is None else product + beta * c

    return run


def _einsum(attributes: Attributes, version: int) -> Operator:
    equation = attributes["equation"]
    return lambda *parts: torch.einsum(equation, *parts)


def _softmax(function: Callable[..., Tensor]) -> Builder:
    def build(attributes: Attributes, version: int) -> Operator:
        if version >= 13:
            axis = attributes.get("axis", -1)
            return lambda x: function(x, axis)
        split = attributes.get("axis", 1)
        # Before version 13 everything from the axis on was one distribution.
        return lambda x: function(x.flatten(split), -1).reshape(x.shape)

    return build


def _leaky_relu(attributes: Attributes, version: int) -> Operator:
    slope = attributes.get("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


def _elu(attributes: Attributes, version: int) -> Operator:
    alpha = attributes.get("alpha", 1.0)
    return lambda x: functional.elu(x, alpha)


def _gelu(attributes: Attributes, version: int) -> Operator:
    approximation = attributes.get("approximate", "none")
    return lambda x: functional.gelu(x, approximate=approximation)


def _hard_sigmoid(attributes: Attributes, version: int) -> Operator:
    alpha, beta = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    return lambda x: functional.hardtanh(alpha * x + beta, 0.0, 1.0)


def _reduce(function: Callable[[Tensor, list[int], bool], Tensor]) -> Builder:
    def build(attributes: Attributes, version: int) -> Operator:
        keep, no_axes_no_work = bool(attributes.get("keepdims", 1)), attributes.get("noop_with_empty_axes", 0)

        def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
            wanted = axes_of(attributes, axes)
            if not wanted and no_axes_no_work:
                return x
            return function(x, wanted or list(range(x.ndim)), keep)

        return run

    return build


def _joined(function: Callable[[Tensor, Tensor], Tensor]) -> Builder:
    """An operator of two inputs that takes any number of them."""
    return plain(lambda *parts: functools.reduce(function, parts))


OPERATORS: dict[str, Builder] = {
    **SHAPING,
    **SPATIAL,
    "Abs": plain(torch.abs),
    "Add": plain(torch.add),
    "And": plain(torch.logical_and),
    "BatchNormalization": _batch_normalization,
    "Ceil": plain(torch.ceil),
    "Clip": _clip,
    "Cos": plain(torch.cos),
    "Div": plain(_div),
    "Dropout": plain(lambda x, *rest: x),
    "Einsum": _einsum,
    "Elu": _elu,
    "Equal": plain(torch.eq),
    "Erf": plain(torch.erf),
    "Exp": plain(torch.exp),
    "Floor": plain(torch.floor),
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": plain(torch.gt),
    "GreaterOrEqual": plain(torch.ge),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": plain(functional.hardswish),
    "Identity": plain(lambda x: x),
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": _leaky_relu,
    "Less": plain(torch.lt),
    "LessOrEqual": plain(torch.le),
    "Log": plain(torch.log),
    "LogSoftmax": _softmax(torch.log_softmax),
    "LpNormalization": _lp_normalization,
    "MatMul": plain(torch.matmul),
    "Max": _joined(torch.maximum),
    "Min": _joined(torch.minimum),
    "Mish": plain(functional.mish),
    "Mul": plain(torch.mul),
    "Neg": plain(torch.neg),
    "Not": plain(torch.logical_not),
    "Or": plain(torch.logical_or),
    "PRelu": plain(prelu),
    "Pow": plain(torch.pow),
    "Reciprocal": plain(torch.reciprocal),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, dim=axes, keepdim=keep)),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(dim=axes, keepdim=keep)),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(dim=axes, keepdim=keep)),
    "ReduceMin": _reduce(lambda x, axes, keep: x.amin(dim=axes, keepdim=keep)),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(dim=axes, keepdim=keep)),
    "Relu": plain(torch.relu),
    "Sigmoid": plain(torch.sigmoid),
    "Sin": plain(torch.sin),
    "Softmax": _softmax(torch.softmax),
    "Softplus": plain(functional.softplus),
    "Sqrt": plain(torch.sqrt),
    "Sub": plain(torch.sub),
    "Sum": _joined(torch.add),
    "Tanh": plain(torch.tanh),
    "Where": plain(torch.where),
}
"""Operator name -> builder. `Constant` is no operation: the graph reader takes its value."""
