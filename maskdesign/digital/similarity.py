"""How alike two pictures are to an eye: SSIM, differentiable, as a map, so that a face can be judged by itself."""

from __future__ import annotations

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


def ssim(original: NDArray[np.uint8], changed: NDArray[np.uint8], where: NDArray[np.bool_] | None = None) -> float:
    """SSIM of two pictures, or of the part of them that a mask names.

    Args:
        original, changed: (H, W, C) uint8.
        where: (H, W), True where it counts; None takes all. The rim of 5 pixels never counts.
    """
    first, second = (torch.from_numpy(image.copy()).permute(2, 0, 1).double() for image in (original, changed))
    values = ssim_map(reference(first), second)
    if where is None:
        return values.mean().item()
    inner = torch.from_numpy(where[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX].copy())
    return values[inner].mean().item() if inner.any() else 1.0
