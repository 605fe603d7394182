"""Taking what follows a convolution into it: batch norms, biases and factors into its weights, activations in place.

The arithmetic is exact but for rounding; it saves one pass over the picture, forward and backward, for each operator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.recognition.onnx_builder import Operator
from maskdesign.recognition.onnx_file import OnnxGraph, OnnxNode
from maskdesign.recognition.onnx_ops import clip_bounds


def fold_channel_operators(graph: OnnxGraph) -> OnnxGraph:
    """Fold BatchNormalization, and Add and Mul by one constant a channel, into the convolution that they alone read.

    Args:
        graph: its constants must be tensors already, not nodes.
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers[graph.embedding] += 1
    constants = dict(graph.constants)
    nodes: list[OnnxNode] = []
    made_by: dict[str, int] = {}
    for node in graph.nodes:
        source = next((name for name in node.inputs if name in made_by), None)
        line = _channel_line(node, constants)
        if source is not None and line and readers[source] == 1 and _is_fixed(nodes[made_by[source]], constants):
            index = made_by[source]
            nodes[index] = _folded(nodes[index], node.output, line, constants)
        else:
            index = len(nodes)
            nodes.append(node)
        made_by[node.output] = index
    return replace(graph, constants=constants, nodes=tuple(nodes))


def fold_activations(graph: OnnxGraph) -> OnnxGraph:
    """Let a convolution apply, in place, the activation that alone reads it; saves a picture and a pass over it."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers[graph.embedding] += 1
    nodes: list[OnnxNode] = []
    made_by: dict[str, int] = {}
    for node in graph.nodes:
        index, activation = made_by.get(node.inputs[0] if node.inputs else ""), _in_place(node, graph.constants)
        if index is not None and activation and readers[node.inputs[0]] == 1:
            conv = nodes[index]
            nodes[index] = replace(conv, outputs=node.outputs, attributes={**conv.attributes, "activation": activation})
            continue
        if node.operator == "Conv":
            made_by[node.output] = len(nodes)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _in_place(node: OnnxNode, constants: Mapping[str, Tensor]) -> Operator | None:
    """The activation as an in-place function whose gradient needs its result only; None for any other operator."""
    if node.operator == "Relu":
        return torch.relu_
    if node.operator == "LeakyRelu":
        return _leaky(node.attributes.get("alpha", 0.01))
    if node.operator == "PRelu" and node.inputs[1] in constants and constants[node.inputs[1]].numel() == 1:
        return _leaky(constants[node.inputs[1]].item())
    if node.operator == "Clip" and all(name == "" or name in constants for name in node.inputs[1:]):
        low, high = clip_bounds(node.attributes, *(constants.get(name) for name in node.inputs[1:]))
        return partial(functional.hardtanh_, min_val=low, max_val=high) if low < high else None
    return None


def _leaky(slope: float) -> Operator | None:
    # With a negative slope the result no longer tells on which side the input was.
    return partial(functional.leaky_relu_, negative_slope=slope) if slope > 0 else None


def _is_fixed(conv: OnnxNode, constants: Mapping[str, Tensor]) -> bool:
    return conv.operator == "Conv" and all(name == "" or name in constants for name in conv.inputs[1:])


def _channel_line(node: OnnxNode, constants: Mapping[str, Tensor]) -> tuple[Tensor, Tensor] | None:
    """Scale and shift, float64 of shape (C,), of an operator that does scale x + shift to each channel, else None."""
    if node.operator == "BatchNormalization":
        return _norm_line(node, constants)
    values = [constants[name] for name in node.inputs if name in constants]
    if node.operator not in ("Add", "Mul") or len(values) != 1 or not _is_per_channel(values[0]):
        return None
    value = values[0].double().reshape(-1)
    return (torch.ones_like(value), value) if node.operator == "Add" else (value, torch.zeros_like(value))


def _is_per_channel(value: Tensor) -> bool:
    return value.ndim in (3, 4) and value.shape[-3] > 1 and value.shape[-3] == value.numel()


def _norm_line(node: OnnxNode, constants: Mapping[str, Tensor]) -> tuple[Tensor, Tensor] | None:
    plain = not node.attributes.get("training_mode", 0) and node.attributes.get("spatial", 1) == 1
    if not plain or not all(name in constants for name in node.inputs[1:]):
        return None
    gamma, beta, mean, variance = (constants[name].double() for name in node.inputs[1:])
    scale = gamma / torch.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    return scale, beta - mean * scale


def _folded(conv: OnnxNode, output: str, line: tuple[Tensor, Tensor], constants: dict[str, Tensor]) -> OnnxNode:
    scale, shift = line
    kept, named_bias = constants[conv.inputs[1]], [name for name in conv.inputs[2:] if name]
    bias = constants[named_bias[0]].double() if named_bias else torch.zeros_like(shift)
    names = (f"{output}/weight", f"{output}/bias")
    constants[names[0]] = (kept.double() * scale[:, None, None, None]).to(kept.dtype)
    constants[names[1]] = (bias * scale + shift).to(kept.dtype)
    return replace(conv, inputs=(conv.inputs[0], *names), outputs=(output,))
