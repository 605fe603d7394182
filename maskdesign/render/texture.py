"""The texture's way into the image: a linear map, and its exact transpose for the gradient (numba inside torch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from maskdesign.render.threads import map_threads


@dataclass(frozen=True, eq=False)
class AffineView:
    """An image in linear light as a function of the texture: base + sum of weight x texture(uv) over the samples.

    Attributes:
        base: (3, H, W) float32 linear light of whatever shows no print.
        pixel: (n,) int32, row * W + column of each sample that shows print.
        uv: (n, 2) float32 in [0, 1] on the sheet.
        weight: (n, 3) float32, light that falls on the sample's share of the pixel.
    """

    base: NDArray[np.float32]
    pixel: NDArray[np.int32]
    uv: NDArray[np.float32]
    weight: NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def bilinear_taps(coordinate, count):
    """The two texels next to a float32 coordinate in [0, 1], and the share of the second.

    Convention: texel i is centered at (i + 0.5) / count; beyond the outermost centers the border goes on.
    """
    place = min(max(coordinate * np.float32(count) - np.float32(0.5), np.float32(0)), np.float32(count - 1))
    # Unsigned indices spare numba the test for Python's negative ones.
    first = np.uint32(place)
    return first, min(first + np.uint32(1), np.uint32(count - 1)), place - np.float32(first)


@njit(cache=True, nogil=True, inline="always")
def bilinear_weights(s, t):
    """Shares of the texels top left, top right, bottom left, bottom right; they add up to 1."""
    one = np.float32(1)
    return (one - s) * (one - t), s * (one - t), (one - s) * t, s * t


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(texels, pixel, uv, weight, image):
    height, width, _ = texels.shape
    for n in range(len(pixel)):
        left, right, s = bilinear_taps(uv[n, 0], width)
        top, bottom, t = bilinear_taps(uv[n, 1], height)
        k0, k1, k2, k3 = bilinear_weights(s, t)
        p = np.uint32(pixel[n])
        for c in range(3):
            upper = k0 * texels[top, left, c] + k1 * texels[top, right, c]
            lower = k2 * texels[bottom, left, c] + k3 * texels[bottom, right, c]
            image[c, p] += weight[n, c] * (upper + lower)


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(image, pixel, uv, weight, texels):
    height, width, _ = texels.shape
    for n in range(len(pixel)):
        left, right, s = bilinear_taps(uv[n, 0], width)
        top, bottom, t = bilinear_taps(uv[n, 1], height)
        k0, k1, k2, k3 = bilinear_weights(s, t)
        p = np.uint32(pixel[n])
        for c in range(3):
            value = weight[n, c] * image[c, p]
            texels[top, left, c] += k0 * value
            texels[top, right, c] += k1 * value
            texels[bottom, left, c] += k2 * value
            texels[bottom, right, c] += k3 * value


class _ShowTexture(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, texture: Tensor, views: Sequence[AffineView]) -> Tensor:
        ctx.views = views
        ctx.texture_shape = texture.shape
        images = torch.from_numpy(np.stack([view.base for view in views])).to(texture.dtype)
        texels = texture.detach().permute(1, 2, 0).contiguous().numpy()
        flat = images.flatten(2).numpy()
        map_threads(lambda n: _gather(texels, views[n].pixel, views[n].uv, views[n].weight, flat[n]), range(len(views)))
        return images

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        _, height, width = ctx.texture_shape
        texels = torch.zeros(height, width, 3, dtype=gradient.dtype)
        flat = gradient.contiguous().flatten(2).numpy()
        # One thread, view after view: the sums have the same bits however many threads there are.
        for view, image in zip(ctx.views, flat, strict=True):
            _scatter(image, view.pixel, view.uv, view.weight, texels.numpy())
        return texels.permute(2, 0, 1), None


def show_texture(texture: Tensor, views: Sequence[AffineView]) -> Tensor:
    """Images of a texture in linear light, bilinear.

    Args:
        texture: (3, h, w) float32 or float64, linear light.
        views: B views of one image size.

    Returns:
        (B, 3, H, W) of the texture's type; affine in `texture`, and the gradient is the exact transpose.
    """
    return _ShowTexture.apply(texture, views)  # type: ignore[return-value]
