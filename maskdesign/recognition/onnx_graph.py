"""Recognizers in the ONNX format as torch modules, with exact gradients to their input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from maskdesign.errors import RecognizerError
from maskdesign.recognition.onnx_builder import Operator, UnsupportedError
from maskdesign.recognition.onnx_file import OnnxGraph, OnnxNode, read_graph
from maskdesign.recognition.onnx_fold import fold_activations, fold_channel_operators
from maskdesign.recognition.onnx_ops import OPERATORS


@dataclass(frozen=True)
class _Step:
    """A node made ready to run. `released`: tensors that no later node needs."""

    run: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    released: tuple[str, ...]


class OnnxNetwork(nn.Module):
    """The nodes of a graph, run one after another; the graph's constants are frozen buffers.

    Attributes:
        input_shape: what the file states for the image, 0 where it leaves an extent open.
    """

    def __init__(self, graph: OnnxGraph, steps: Sequence[_Step]) -> None:
        super().__init__()
        self.image, self.embedding, self.input_shape = graph.image, graph.embedding, graph.input_shape
        self.steps = tuple(steps)
        used = {name for step in steps for name in step.inputs} | {graph.embedding}
        kept = {name: value for name, value in graph.constants.items() if name in used}
        # Names in a graph may hold dots, which names of buffers must not.
        self.buffer_names = {name: f"constant_{number}" for number, name in enumerate(kept)}
        for name, value in kept.items():
            self.register_buffer(self.buffer_names[name], _channels_last(value))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w), normalized as the graph wants it -> (B, E)."""
        values: dict[str, Tensor | None] = {name: getattr(self, key) for name, key in self.buffer_names.items()}
        values[""] = None
        values[self.image] = images
        for step in self.steps:
            values.update(_named(step.outputs, step.run(*(values[name] for name in step.inputs))))
            for name in step.released:
                del values[name]
        embedding = values[self.embedding]
        assert embedding is not None
        return embedding


def _named(outputs: tuple[str, ...], answer: Tensor | tuple[Tensor, ...]) -> Iterator[tuple[str, Tensor]]:
    return zip(outputs, answer if isinstance(answer, tuple) else (answer,), strict=True)


def _channels_last(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def load_onnx_network(path: Path, data: bytes) -> OnnxNetwork:
    """Build a network from an ONNX file; batch norms and biases are folded into the convolutions before them.

    Args:
        path: name of the file, for errors.
        data: its content.

    Raises:
        RecognizerError: damaged, with weights outside the file, or with an operator that is not known; the message
            names the file, the operator and the remedy.
    """
    graph = read_graph(path, data)
    graph = fold_activations(fold_channel_operators(_with_constants_folded(path, graph)))
    return OnnxNetwork(graph, _steps(path, graph))


def _operator(path: Path, node: OnnxNode, version: int) -> Operator:
    if node.operator not in OPERATORS:
        raise RecognizerError(
            f"{path}: the operator {node.operator} of {node.output!r} is not known; export the model without it, "
            f"known are {', '.join(OPERATORS)}"
        )
    try:
        return OPERATORS[node.operator](node.attributes, version)
    except UnsupportedError as error:
        raise RecognizerError(f"{path}: {node.operator} of {node.output!r} has {error}; export it without") from error
    except (KeyError, TypeError, ValueError) as error:
        raise RecognizerError(
            f"{path}: {node.operator} of {node.output!r} has damaged attributes ({error!r}); get it again"
        ) from error


def _with_constants_folded(path: Path, graph: OnnxGraph) -> OnnxGraph:
    """Compute once what does not depend on the image."""
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        if not all(name == "" or name in constants for name in node.inputs):
            nodes.append(node)
            continue
        operator = _operator(path, node, graph.version)
        try:
            constants.update(_named(node.outputs, operator(*(constants.get(name) for name in node.inputs))))
        except (RuntimeError, TypeError, IndexError, ValueError, AttributeError) as error:
            raise RecognizerError(
                f"{path}: {node.operator} of {node.output!r} cannot be computed ({error}); get the file again"
            ) from error
    return replace(graph, constants=constants, nodes=tuple(nodes))


def _steps(path: Path, graph: OnnxGraph) -> list[_Step]:
    _check_names(path, graph)
    last_reader = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    steps = []
    for index, node in enumerate(graph.nodes):
        inner = {name for name in node.inputs if name and name not in graph.constants and name != graph.embedding}
        released = tuple(sorted(name for name in inner if last_reader[name] == index))
        steps.append(_Step(_operator(path, node, graph.version), node.inputs, node.outputs, released))
    return steps


def _check_names(path: Path, graph: OnnxGraph) -> None:
    known = {"", graph.image, *graph.constants}
    for node in graph.nodes:
        missing = [name for name in node.inputs if name not in known]
        if missing:
            raise RecognizerError(
                f"{path}: {node.operator} of {node.output!r} reads {missing[0]!r}, which nothing computes; get it again"
            )
        known.update(node.outputs)
    if graph.embedding not in known:
        raise RecognizerError(f"{path}: nothing computes the output {graph.embedding!r}; get it again")
