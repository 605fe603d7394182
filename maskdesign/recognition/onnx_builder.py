"""What the files of ONNX operators share: the shape of a builder, and the error for what is not read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

Attributes = Mapping[str, Any]
Operator = Callable[..., Any]
"""From the tensors of a node's inputs, None for one that is left out, to its output; Split gives a tuple of them."""
Builder = Callable[[Attributes, int], Operator]
"""From a node's attributes and the version of the operator set to the function that the node computes."""


class UnsupportedError(Exception):
    """An attribute asks for what this reader does not do; the graph reader names the node and the file."""


def plain(function: Operator) -> Builder:
    """A builder for an operator without attributes."""
    return lambda attributes, version: function


def axes_of(attributes: Attributes, axes: Tensor | None) -> list[int]:
    """Axes stand in an attribute in older graphs and in an input in newer ones."""
    return list(attributes.get("axes", ())) if axes is None else integers(axes)


def integers(values: Tensor) -> list[int]:
    """The entries of a tensor of sizes or axes."""
    return [int(value) for value in values.reshape(-1).tolist()]
