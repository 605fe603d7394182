"""What a lens and a moving hand do to linear light: radial distortion and motion blur."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from numpy.typing import NDArray
from torch import Tensor

NEWTON_ROUNDS = 8
KERNEL_FINENESS = 16


def distort(images: Tensor, strengths: Sequence[float]) -> Tensor:
    """Bend pictures radially: a point at radius r moves to r (1 + k r^2) (Brown, "Decentering distortion of lenses",
    1966), bilinear.

    Args:
        images: (B, C, H, W).
        strengths: B values of k with the radius in halves of the picture's shorter side, -0.1 to 0.1; < 0 is a
            barrel, 0 leaves a picture as it is.

    Returns:
        (B, C, H, W), differentiable; beyond the picture its border goes on.
    """
    if not any(strengths):
        return images
    height, width = images.shape[2:]
    half = min(height, width) / 2
    columns, rows = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    radius = np.hypot(columns, rows) / half
    grids = []
    for strength in strengths:
        stretch = undistorted_radius(radius, strength) / np.maximum(radius, 1e-12)
        grids.append(np.stack([columns * stretch * 2 / width, rows * stretch * 2 / height], axis=-1))
    bent = F.grid_sample(
        images, torch.from_numpy(np.stack(grids)).to(images), padding_mode="border", align_corners=False
    )
    straight = torch.tensor([strength == 0 for strength in strengths])[:, None, None, None]
    return torch.where(straight, images, bent)


def undistorted_radius(radius: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """The r with r (1 + k r^2) = radius, by Newton's method; beyond a barrel's fold, the radius of the fold."""
    farthest = np.sqrt(-1 / (3 * strength)) if strength < 0 else np.inf
    solution = np.minimum(radius, farthest)
    for _ in range(NEWTON_ROUNDS):
        slope = np.maximum(1 + 3 * strength * solution**2, 1e-9)
        solution = np.clip(solution - (solution * (1 + strength * solution**2) - radius) / slope, 0, farthest)
    return solution


def motion_blur(images: Tensor, lengths_px: Sequence[float], angles_deg: Sequence[float]) -> Tensor:
    """Smear pictures along a straight line, as a hand that moves evenly does.

    Args:
        images: (B, C, H, W).
        lengths_px: B lengths of the way, 0 to 40; 0 leaves a picture as it is.
        angles_deg: B directions, 0 = across, counterclockwise.

    Returns:
        (B, C, H, W), differentiable; a constant image stays constant, for near the border the mean is over what
        there is.
    """
    if not any(lengths_px):
        return images
    blurred = []
    for image, length_px, angle_deg in zip(images, lengths_px, angles_deg, strict=True):
        kernel = torch.from_numpy(motion_kernel(length_px, angle_deg)).to(image)[None, None]
        padding = kernel.shape[2] // 2
        ones = image.new_ones(1, 1, *image.shape[1:])
        smeared, reached = (F.conv2d(x, kernel, padding=padding)[:, 0] for x in (image[:, None], ones))
        blurred.append(smeared / reached)
    return torch.stack(blurred)


def motion_kernel(length_px: float, angle_deg: float) -> NDArray[np.float64]:
    """Time that a point spends at each pixel of a line, bilinear: (2 r + 1, 2 r + 1), sum 1, symmetric."""
    radius = int(np.ceil(length_px / 2))
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    count = max(1, int(np.ceil(length_px * KERNEL_FINENESS)))
    way = ((np.arange(count) + 0.5) / count - 0.5) * length_px
    angle = np.radians(angle_deg)
    x, y = radius + way * np.cos(angle), radius - way * np.sin(angle)
    # The end of a level line falls on the last pixel's center: its neighbor has no share, and no place.
    column, row = (np.clip(np.floor(c).astype(int), 0, max(2 * radius - 1, 0)) for c in (x, y))
    s, t = x - column, y - row
    for dx, dy, share in ((0, 0, (1 - s) * (1 - t)), (1, 0, s * (1 - t)), (0, 1, (1 - s) * t), (1, 1, s * t)):
        inside = share > 0
        np.add.at(kernel, (row[inside] + dy, column[inside] + dx), share[inside])
    return kernel / kernel.sum()
