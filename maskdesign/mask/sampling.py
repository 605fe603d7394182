"""The PrivacyMask paper's two sampling kernels: the integer kernel (equation 7) and the bilinear one (equation 8).

Jaderberg et al. 2015, "Spatial transformer networks", equations 3 to 7, whose notation the paper takes over; its
equation 7 prints a product inside one Kronecker delta where that source has a product of two, which is meant.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from maskdesign.errors import InputError


def sample_integer(feature: Tensor, places: Tensor) -> Tensor:
    """Equation 7: the value of the nearest pixel, with the gradient of the bilinear kernel (equation 8).

    The kernel's own gradient is zero almost everywhere with respect to the places and reaches one pixel each with
    respect to the feature map; the bilinear one spreads over four and tells where to go.

    Args:
        feature: (C, H, W) U of floating type.
        places: (..., 2) of the same type, x_s and y_s.

    Returns:
        (C, ...) V; 0 outside the map. Halfway between two pixels the right or lower one counts.

    Convention: pixel (row n, column m) is centered at x = m, y = n, as in the paper; a camera pixel of this program,
    centered at +0.5, is half a pixel less here.

    Raises:
        InputError: shapes or types that do not fit.
    """
    _check(feature, places)
    return _IntegerKernel.apply(feature, places)  # type: ignore[return-value]


def sample_bilinear(feature: Tensor, places: Tensor) -> Tensor:
    """Bilinear sampling, V = sum U max(0, 1 - |x_s - m|) max(0, 1 - |y_s - n|); arguments as in `sample_integer`."""
    _check(feature, places)
    taps, weights = _taps(feature, places)
    return (feature.flatten(1)[:, taps] * weights).sum(dim=1).unflatten(1, places.shape[:-1])


def _check(feature: Tensor, places: Tensor) -> None:
    if feature.ndim != 3 or places.ndim < 2 or places.shape[-1] != 2:
        raise InputError(
            f"sampling needs a map (C, H, W) and places (..., 2), not {tuple(feature.shape)}, {tuple(places.shape)}"
        )
    if feature.dtype != places.dtype or not feature.is_floating_point():
        raise InputError(f"map and places must have one floating type, not {feature.dtype} and {places.dtype}")


def _taps(feature: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Flat indices (4, n) of the pixels around each place and their weights (4, n), 0 outside the map."""
    height, width = feature.shape[1:]
    x, y = places.reshape(-1, 2).unbind(1)
    left, top = torch.floor(x.detach()), torch.floor(y.detach())
    columns = torch.stack([left, left + 1, left, left + 1])
    rows = torch.stack([top, top, top + 1, top + 1])
    weights = (1 - (x - columns).abs()) * (1 - (y - rows).abs())
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    taps = rows.clamp(0, height - 1).long() * width + columns.clamp(0, width - 1).long()
    return taps, weights * inside


class _IntegerKernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feature: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(feature, places)
        height, width = feature.shape[1:]
        x, y = torch.floor(places.reshape(-1, 2) + 0.5).unbind(1)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        tap = y.clamp(0, height - 1).long() * width + x.clamp(0, width - 1).long()
        return (feature.flatten(1)[:, tap] * inside).unflatten(1, places.shape[:-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        feature, places = (tensor.detach().requires_grad_() for tensor in ctx.saved_tensors)
        with torch.enable_grad():
            smooth = sample_bilinear(feature, places)
            to_feature, to_places = torch.autograd.grad(smooth, (feature, places), gradient)
        return to_feature, to_places
