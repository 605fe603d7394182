"""Taking what scales and shifts a convolution's channels into its weights: batch norms, biases, factors.

The arithmetic is exact but for rounding; it saves one pass over the picture, forward and backward, for each operator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from maskdesign.recognition.onnx_file import OnnxGraph, OnnxNode


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
    return replace(conv, inputs=(conv.inputs[0], *names), output=output)
