"""ONNX operators that rearrange, cut, join and repeat tensors, and compute with their sizes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from maskdesign.recognition.onnx_builder import (
    Attributes,
    Builder,
    Operator,
    UnsupportedError,
    axes_of,
    integers,
    plain,
)

DTYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float32, 11: torch.float64}
"""ONNX's numbers of types; half precision is computed in single."""


def _flatten(attributes: Attributes, version: int) -> Operator:
    axis = attributes.get("axis", 1)
    return lambda x: x.reshape(math.prod(x.shape[: axis if axis >= 0 else axis + x.ndim]), -1)


def _reshape(attributes: Attributes, version: int) -> Operator:
    keeps_zeros = attributes.get("allowzero", 0)

    def run(x: Tensor, shape: Tensor) -> Tensor:
        wanted = integers(shape)
        if not keeps_zeros:
            wanted = [x.shape[axis] if extent == 0 else extent for axis, extent in enumerate(wanted)]
        return x.reshape(wanted)

    return run


def _transpose(attributes: Attributes, version: int) -> Operator:
    return lambda x: x.permute(list(attributes.get("perm", range(x.ndim)[::-1])))


def _concat(attributes: Attributes, version: int) -> Operator:
    axis = attributes["axis"]
    return lambda *parts: torch.cat(parts, dim=axis)


def _split(attributes: Attributes, version: int) -> Operator:
    axis, outputs = attributes.get("axis", 0), attributes["num_outputs"]

    def run(x: Tensor, split: Tensor | None = None) -> tuple[Tensor, ...]:
        given = attributes.get("split") if split is None else integers(split)
        return torch.split(x, list(given) if given else math.ceil(x.shape[axis] / outputs), dim=axis)

    return run


def _slice(attributes: Attributes, version: int) -> Operator:
    def run(x: Tensor, *inputs: Tensor | None) -> Tensor:
        named = zip(("starts", "ends", "axes", "steps"), inputs, strict=False)
        given = {**attributes, **{key: integers(value) for key, value in named if value is not None}}
        axes = given.get("axes") or range(len(given["starts"]))
        steps = given.get("steps") or [1] * len(given["starts"])
        for axis, start, end, step in zip(axes, given["starts"], given["ends"], steps, strict=True):
            # Python's slices clamp and count from the end as ONNX's do.
            picked = range(x.shape[axis])[start:end:step]
            if step > 0:
                index = [slice(None)] * (axis % x.ndim) + [slice(start, end, step)]
                x = x[tuple(index)]
            else:
                x = x.index_select(axis, torch.tensor(list(picked), dtype=torch.int64))
        return x

    return run


def _squeeze(attributes: Attributes, version: int) -> Operator:
    def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
        wanted = axes_of(attributes, axes)
        return x.squeeze(tuple(wanted)) if wanted else x.squeeze()

    return run


def _unsqueeze(attributes: Attributes, version: int) -> Operator:
    def run(x: Tensor, axes: Tensor | None = None) -> Tensor:
        wanted = axes_of(attributes, axes)
        rank = x.ndim + len(wanted)
        for axis in sorted(axis % rank for axis in wanted):
            x = x.unsqueeze(axis)
        return x

    return run


def _gather(attributes: Attributes, version: int) -> Operator:
    axis = attributes.get("axis", 0)

    def run(x: Tensor, indices: Tensor) -> Tensor:
        flat = indices.reshape(-1).long() % x.shape[axis]
        dimension = axis % x.ndim
        picked = x.index_select(dimension, flat)
        return picked.reshape([*x.shape[:dimension], *indices.shape, *x.shape[dimension + 1 :]])

    return run


def _constant_of_shape(attributes: Attributes, version: int) -> Operator:
    value = attributes.get("value", torch.zeros(1))
    return lambda shape: value.reshape(()).expand(integers(shape)).clone()


def _cast(attributes: Attributes, version: int) -> Operator:
    wanted = DTYPES.get(attributes["to"])
    if wanted is None:
        raise UnsupportedError(f"to = {attributes['to']}")
    # Between floating types the network's own precision stands.
    return lambda x: x if x.is_floating_point() and wanted.is_floating_point else x.to(wanted)


def _shape(attributes: Attributes, version: int) -> Operator:
    start, end = attributes.get("start", 0), attributes.get("end")
    return lambda x: torch.tensor(x.shape[start:end], dtype=torch.int64)


def _expand(x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, tuple(integers(shape))))


SHAPING: dict[str, Builder] = {
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Expand": plain(_expand),
    "Flatten": _flatten,
    "Gather": _gather,
    "Range": plain(lambda start, limit, step: torch.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)),
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": plain(lambda x, repeats: x.repeat(integers(repeats))),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
