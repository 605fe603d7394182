"""ONNX operators over the two axes of a picture: convolutions, poolings, edges, sizes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.recognition.onnx_builder import Attributes, Builder, Operator, UnsupportedError, integers, plain
from maskdesign.recognition.onnx_resize import resize


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
    groups, activate = attributes.get("group", 1), attributes.get("activation", lambda y: y)

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        edges = _edges(attributes, list(weight.shape[2:]), (x.shape[2], x.shape[3]))
        padding = [edges[2], edges[0]]
        if not _symmetric(edges):
            x, padding = functional.pad(x, edges), [0, 0]
        if weight.shape[2:] == (1, 1) and (stride, padding, groups) == ([1, 1], [0, 0], 1):
            return _pointwise(x, weight, bias, activate)
        return activate(functional.conv2d(x, weight, bias, stride, padding, dilation, groups))

    return run


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor | None, activate: Operator) -> Tensor:
    """A 1 x 1 convolution is one matrix product over all pixels; torch's own way to it copies the picture first."""
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    mixed = rows @ weight[:, :, 0, 0].T if bias is None else torch.addmm(bias, rows, weight[:, :, 0, 0].T)
    # Activated before it becomes a view: in-place operations on views cost a copy in the backward pass.
    mixed = activate(mixed)
    return mixed.view(x.shape[0], x.shape[2], x.shape[3], weight.shape[0]).permute(0, 3, 1, 2)


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


def _pad(attributes: Attributes, version: int) -> Operator:
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    mode = attributes.get("mode", "constant")
    if mode not in modes:
        raise UnsupportedError(f"mode = {mode}")

    def run(x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
        given = list(attributes["pads"]) if pads is None else integers(pads)
        named = range(x.ndim) if axes is None else [axis % x.ndim for axis in integers(axes)]
        edges = [0] * (2 * x.ndim)
        for axis, before, after in zip(named, given[: len(given) // 2], given[len(given) // 2 :], strict=True):
            # torch counts axes from the last one.
            edges[2 * (x.ndim - 1 - axis)], edges[2 * (x.ndim - 1 - axis) + 1] = before, after
        while len(edges) > 2 and edges[-2:] == [0, 0]:
            edges = edges[:-2]
        filler = attributes.get("value", 0.0) if value is None else value.item()
        return functional.pad(x, edges, modes[mode], filler if mode == "constant" else None)

    return run


SPATIAL: dict[str, Builder] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "GlobalAveragePool": plain(lambda x: x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)),
    "GlobalMaxPool": plain(lambda x: x.amax(dim=tuple(range(2, x.ndim)), keepdim=True)),
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Resize": resize,
}
