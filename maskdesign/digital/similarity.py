"""How alike two pictures are to an eye: SSIM, differentiable, as a map, so that a face can be judged by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SIGMA_PX = 1.5
RADIUS_PX = 5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def _kernel(dtype: torch.dtype) -> Tensor:
    x = torch.arange(-RADIUS_PX, RADIUS_PX + 1, dtype=torch.float64)
    weights = torch.exp(-(x**2) / (2 * SIGMA_PX**2))
    return (weights / weights.sum()).to(dtype)


def _blur(images: Tensor) -> Tensor:
    """Gaussian window of 11 x 11 over (C, H, W), only where it fits: (C, H - 10, W - 10)."""
    kernel = _kernel(images.dtype)
    down = functional.conv2d(images[:, None], kernel[None, None, :, None])
    return functional.conv2d(down, kernel[None, None, None, :])[:, 0]


@dataclass(frozen=True)
class Reference:
    """The original's part of SSIM, computed once.

    Attributes:
        pixels: (C, H, W) in [0, 255].
        mean, variance: (C, H - 10, W - 10) under the window.
    """

    pixels: Tensor
    mean: Tensor
    variance: Tensor


def reference(pixels: Tensor) -> Reference:
    """Prepare an original, (C, H, W) in [0, 255]; at least 11 pixels a side."""
    mean = _blur(pixels)
    return Reference(pixels, mean, (_blur(pixels**2) - mean**2).clamp_min(0))


def ssim_map(original: Reference, changed: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004, Eq 13; Gaussian window, sigma 1.5, K1 .01, K2 .03) at every place.

    Args:
        changed: (C, H, W) in [0, 255].

    Returns:
        (H - 10, W - 10), mean over the channels, 1 = equal; differentiable with respect to `changed`.
    """
    channels = len(changed)
    blurred = _blur(torch.cat([changed, changed**2, changed * original.pixels]))
    mean, square, product = blurred[:channels], blurred[channels : 2 * channels], blurred[2 * channels :]
    variance, covariance = square - mean**2, product - original.mean * mean
    light = (2 * original.mean * mean + C1) / (original.mean**2 + mean**2 + C1)
    structure = (2 * covariance + C2) / (original.variance + variance + C2)
    return (light * structure).mean(dim=0)


def ssim(original: NDArray[np.uint8], changed: NDArray[np.uint8]) -> float:
    """SSIM of two whole pictures, as `ssim_within`."""
    return ssim_within(original, changed, (None,))[0]


def ssim_within(
    original: NDArray[np.uint8], changed: NDArray[np.uint8], masks: Sequence[NDArray[np.bool_] | None]
) -> list[float]:
    """SSIM of the parts of two pictures that masks name; the map behind it is worked out once.

    Args:
        original, changed: (H, W, C) uint8, at least 11 pixels a side.
        masks: (H, W), True where it counts; None takes all. The rim of 5 pixels never counts.

    Returns:
        one figure a mask, 1 = equal.
    """
    values = np.ones((original.shape[0] - 2 * RADIUS_PX, original.shape[1] - 2 * RADIUS_PX))
    rows, columns = _changed_window(original, changed)
    if rows.stop > rows.start:
        first, second = (
            torch.from_numpy(image[rows, columns].copy()).permute(2, 0, 1).double() for image in (original, changed)
        )
        inner = slice(rows.start, rows.stop - 2 * RADIUS_PX), slice(columns.start, columns.stop - 2 * RADIUS_PX)
        values[inner] = ssim_map(reference(first), second).numpy()
    inside = slice(RADIUS_PX, -RADIUS_PX)
    parts = [values if mask is None else values[mask[inside, inside]] for mask in masks]
    return [float(part.mean()) if part.size else 1.0 for part in parts]


def _changed_window(original: NDArray[np.uint8], changed: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns that hold every window with a changed pixel; SSIM is 1 everywhere else."""
    differs = (original != changed).any(axis=2)
    spans = []
    for axis in (1, 0):
        places, extent = np.flatnonzero(differs.any(axis=axis)), differs.shape[1 - axis]
        if not len(places):
            return slice(0, 0), slice(0, 0)
        low, high = max(places[0] - 2 * RADIUS_PX, 0), min(places[-1] + 1 + 2 * RADIUS_PX, extent)
        # Near the rim the window may be too small to hold one whole window of the filter.
        high = max(high, min(low + 2 * RADIUS_PX + 1, extent))
        spans.append(slice(int(min(low, high - 2 * RADIUS_PX - 1)), int(high)))
    return spans[0], spans[1]
