"""Crops of pictures through affine maps: bilinear, black outside, with exact gradients to pictures and maps.

On a CPU numba walks each crop once, forward and back in less time than `torch.nn.functional.grid_sample`; on other
devices that function does the work, and on a CPU it is the oracle of the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from maskdesign.render.threads import map_threads


def warp_affine(images: Tensor, places: Tensor, height_px: int, width_px: int) -> Tensor:
    """Sample pictures along affine maps.

    Args:
        images: (B, C, H, W) float32 or float64.
        places: (B, 2, 3), place in the picture = places[:, :, :2] @ (x, y) + places[:, :, 2] for a place in the crop.

    Returns:
        (B, C, height_px, width_px), 0 where the picture ends; differentiable with respect to both.

    Convention: x right, y down, in pixels whose centers lie at +0.5, in picture and crop.
    """
    if images.device.type == "cpu":
        return _Warp.apply(images, places, (height_px, width_px))  # type: ignore[return-value]
    return warp_by_grid(images, places, height_px, width_px)


def warp_by_grid(images: Tensor, places: Tensor, height_px: int, width_px: int) -> Tensor:
    """What `warp_affine` returns, on any device, through `grid_sample`."""
    x, y = (torch.arange(count, dtype=places.dtype, device=places.device) + 0.5 for count in (width_px, height_px))
    corners = torch.stack([x.expand(height_px, -1), y[:, None].expand(-1, width_px), x.new_ones(height_px, width_px)])
    points = torch.einsum("bij,jyx->byxi", places, corners)
    # grid_sample counts from -1 to 1 across the picture.
    grid = points * (2 / points.new_tensor([images.shape[3], images.shape[2]])) - 1
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="zeros")


class _Warp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(images, places)
        crops = images.new_empty(*images.shape[:2], *shape)
        sources, maps, targets = images.detach().contiguous().numpy(), places.detach().numpy(), crops.numpy()
        map_threads(lambda n: _gather(sources[n], maps[n], targets[n]), range(len(sources)))
        return crops

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        images, places = ctx.saved_tensors
        slopes, maps = gradient.contiguous().numpy(), places.detach().numpy()
        to_images = to_places = None
        if ctx.needs_input_grad[0]:
            to_images = torch.zeros(images.shape, dtype=images.dtype)
            sums = to_images.numpy()
            map_threads(lambda n: _scatter(slopes[n], maps[n], sums[n]), range(len(slopes)))
        if ctx.needs_input_grad[1]:
            to_places, sources = torch.zeros_like(places), images.detach().contiguous().numpy()
            shifts = to_places.numpy()
            map_threads(lambda n: _slope_of_map(sources[n], slopes[n], maps[n], shifts[n]), range(len(slopes)))
        return to_images, to_places, None


@njit(cache=True, nogil=True, inline="always")
def _taps(place, x, y):
    """Column and row of the upper left tap, which may lie one outside the picture, and the shares of the next ones."""
    u = place[0, 0] * (x + 0.5) + place[0, 1] * (y + 0.5) + place[0, 2] - 0.5
    v = place[1, 0] * (x + 0.5) + place[1, 1] * (y + 0.5) + place[1, 2] - 0.5
    # Far outside, any place gives black; without this bound it might not fit an integer.
    left, top = int(min(max(u + 2.0, -2.0), 1e6)) - 2, int(min(max(v + 2.0, -2.0), 1e6)) - 2
    return left, top, u - left, v - top


@njit(cache=True, nogil=True, inline="always")
def _tap(image, channel, row, column):
    inside = 0 <= row < image.shape[1] and 0 <= column < image.shape[2]
    return image[channel, row, column] if inside else image.dtype.type(0)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(image, place, crop):
    channels, height, width = image.shape
    one = image.dtype.type(1)
    for y in range(crop.shape[1]):
        for x in range(crop.shape[2]):
            left, top, s, t = _taps(place, x, y)
            s, t = image.dtype.type(s), image.dtype.type(t)
            if 0 <= left < width - 1 and 0 <= top < height - 1:
                # Unsigned indices spare numba the test for Python's negative ones.
                i, k = np.uint32(top), np.uint32(left)
                below, right = i + np.uint32(1), k + np.uint32(1)
                for c in range(channels):
                    upper = (one - s) * image[c, i, k] + s * image[c, i, right]
                    lower = (one - s) * image[c, below, k] + s * image[c, below, right]
                    crop[c, y, x] = (one - t) * upper + t * lower
            else:
                for c in range(channels):
                    upper = (one - s) * _tap(image, c, top, left) + s * _tap(image, c, top, left + 1)
                    lower = (one - s) * _tap(image, c, top + 1, left) + s * _tap(image, c, top + 1, left + 1)
                    crop[c, y, x] = (one - t) * upper + t * lower


@njit(cache=True, nogil=True, inline="always")
def _add(image, channel, row, column, value):
    if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
        image[channel, row, column] += value


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(slope, place, image):
    channels, height, width = image.shape
    one = image.dtype.type(1)
    for y in range(slope.shape[1]):
        for x in range(slope.shape[2]):
            left, top, s, t = _taps(place, x, y)
            s, t = image.dtype.type(s), image.dtype.type(t)
            if 0 <= left < width - 1 and 0 <= top < height - 1:
                i, k = np.uint32(top), np.uint32(left)
                below, right = i + np.uint32(1), k + np.uint32(1)
                for c in range(channels):
                    upper, lower = (one - t) * slope[c, y, x], t * slope[c, y, x]
                    image[c, i, k] += (one - s) * upper
                    image[c, i, right] += s * upper
                    image[c, below, k] += (one - s) * lower
                    image[c, below, right] += s * lower
            else:
                for c in range(channels):
                    upper, lower = (one - t) * slope[c, y, x], t * slope[c, y, x]
                    _add(image, c, top, left, (one - s) * upper)
                    _add(image, c, top, left + 1, s * upper)
                    _add(image, c, top + 1, left, (one - s) * lower)
                    _add(image, c, top + 1, left + 1, s * lower)


@njit(cache=True, nogil=True, error_model="numpy")
def _slope_of_map(image, slope, place, to_place):
    for y in range(slope.shape[1]):
        for x in range(slope.shape[2]):
            left, top, s, t = _taps(place, x, y)
            du, dv = 0.0, 0.0
            for c in range(image.shape[0]):
                a, b = _tap(image, c, top, left), _tap(image, c, top, left + 1)
                d, e = _tap(image, c, top + 1, left), _tap(image, c, top + 1, left + 1)
                du += slope[c, y, x] * ((1 - t) * (b - a) + t * (e - d))
                dv += slope[c, y, x] * ((1 - s) * (d - a) + s * (e - b))
            for row, change in enumerate((du, dv)):
                to_place[row, 0] += change * (x + 0.5)
                to_place[row, 1] += change * (y + 0.5)
                to_place[row, 2] += change
