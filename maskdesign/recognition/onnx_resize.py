"""ONNX's Resize: every mode is a matrix for each axis, so that one product serves all of them and their gradients."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.recognition.onnx_builder import Attributes, Operator, UnsupportedError, integers

ROUNDINGS = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
TRANSFORMS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


def resize(attributes: Attributes, version: int) -> Operator:
    """Builder of Resize; sizes or scales may change any axis."""
    if version < 11:
        attributes = {**attributes, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    mode = attributes.get("mode", "nearest")
    where = attributes.get("coordinate_transformation_mode", "half_pixel")
    for key in ("antialias", "exclude_outside"):
        if attributes.get(key, 0):
            raise UnsupportedError(f"{key} = {attributes[key]}")
    if where not in TRANSFORMS or mode not in ("nearest", "linear", "cubic") or "axes" in attributes:
        raise UnsupportedError(f"mode = {mode}, coordinate_transformation_mode = {where}, or axes")
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedError(f"keep_aspect_ratio_policy = {attributes['keep_aspect_ratio_policy']}")

    def run(x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None) -> Tensor:
        # Operator set 10 has scales where newer ones have roi.
        scales = roi if version < 11 else scales
        for axis, (wanted, scale) in enumerate(_targets(x, scales, sizes)):
            if wanted != x.shape[axis]:
                matrix = _matrix(attributes, mode, where, x.shape[axis], wanted, scale)
                weights = torch.from_numpy(matrix).to(x.dtype)
                x = torch.movedim(torch.movedim(x, axis, -1) @ weights.T, -1, axis)
        return x

    return run


def _targets(x: Tensor, scales: Tensor | None, sizes: Tensor | None) -> list[tuple[int, float]]:
    """Extent and scale of each axis."""
    if sizes is not None and sizes.numel():
        return [(wanted, wanted / has) for wanted, has in zip(integers(sizes), x.shape, strict=True)]
    if scales is None or scales.numel() != x.ndim:
        raise ValueError("Resize without sizes and scales")
    factors = scales.tolist()
    return [(int(np.floor(has * factor)), factor) for has, factor in zip(x.shape, factors, strict=True)]


def _matrix(attributes: Attributes, mode: str, where: str, has: int, wanted: int, scale: float) -> NDArray[np.float64]:
    """(wanted, has): how each place of the output mixes those of the input."""
    places = _places(where, has, wanted, scale)
    if mode == "nearest":
        nearest = ROUNDINGS[attributes.get("nearest_mode", "round_prefer_floor")](places)
        return _mixed(nearest[:, None], np.ones((wanted, 1)), has)
    base = np.floor(places)
    share = places - base
    if mode == "linear":
        return _mixed(base[:, None] + np.arange(2.0), np.stack([1 - share, share], axis=1), has)
    return _mixed(base[:, None] + np.arange(-1.0, 3.0), _cubic(share, attributes.get("cubic_coeff_a", -0.75)), has)


def _places(where: str, has: int, wanted: int, scale: float) -> NDArray[np.float64]:
    index = np.arange(wanted, dtype=np.float64)
    if where == "asymmetric":
        return index / scale
    if where == "align_corners":
        return index * ((has - 1) / (wanted - 1)) if wanted > 1 else index
    if where == "pytorch_half_pixel" and wanted == 1:
        return index
    return (index + 0.5) / scale - 0.5


def _cubic(share: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Weights of four neighbors (Keys, Cubic convolution interpolation for digital image processing, 1981)."""
    distance = np.abs(share[:, None] - np.array([-1.0, 0.0, 1.0, 2.0]))
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


def _mixed(columns: NDArray, weights: NDArray, has: int) -> NDArray[np.float64]:
    matrix = np.zeros((len(columns), has))
    rows = np.broadcast_to(np.arange(len(columns))[:, None], columns.shape)
    # Beyond the edge the outermost place stands for what is missing.
    np.add.at(matrix, (rows, np.clip(columns, 0, has - 1).astype(int)), weights)
    return matrix
