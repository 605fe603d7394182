"""Which cells a face's template takes: half of them near the features, half where recognizers look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.digital.region import FaceRegion
from maskdesign.digital.sight import JitterRanges, Points, draw_jitter, view_margins
from maskdesign.digital.template import Template
from maskdesign.errors import ConfigError
from maskdesign.faces.landmarks import EYE_RINGS, LOWER_LIP, NOSE_TIP, UPPER_LIP
from maskdesign.optimize.ensemble import Member

BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (NOSE_TIP, 5, 195, 197, 98, 327, 2)
FEATURES = tuple(sorted({*EYE_RINGS[0], *EYE_RINGS[1], *UPPER_LIP, *LOWER_LIP, 0, 17, 61, 291, *BROWS, *NOSE}))
"""Landmarks of eyes, brows, nose and mouth."""
SALIENCY_VIEWS = 3
SALIENCY_NOISE = 8.0
UNIQUE_SPREAD = 0.35


@dataclass(frozen=True)
class TemplateSettings:
    """Size of a template; the paper has up to 500 points of 4 x 4 pixels in 256 x 256.

    Attributes:
        cell_px: side of a cell in the working picture.
        near_features: cells nearest to eyes, brows, nose and mouth.
        salient: further cells with the largest gradient for what they show to the eye.
    """

    cell_px: int = 4
    near_features: int = 250
    salient: int = 250

    def __post_init__(self) -> None:
        if not 1 <= self.cell_px <= 32 or min(self.near_features, self.salient) < 0:
            raise ConfigError("template.cell_px must lie between 1 and 32, and no count may be negative")
        if self.near_features + self.salient < 1:
            raise ConfigError("template.near_features + template.salient must be at least 1")


def saliency(members: Sequence[Member], image: Tensor, points_px: Points, rng: np.random.Generator) -> Tensor:
    """Where the recognizers look: mean size of their margins' gradient at noisy copies of the picture.

    At the unchanged picture itself the gradient of its own similarity is exactly zero.

    Args:
        image: (C, h, w) in [0, 255].

    Returns:
        (C, h, w), at least 0, each recognizer's with mean 1 summed.
    """
    total = torch.zeros_like(image)
    for _ in range(SALIENCY_VIEWS):
        noise = torch.from_numpy(rng.normal(0, SALIENCY_NOISE, tuple(image.shape)).astype(np.float32))
        noisy = (image + noise).clamp(0, 255).requires_grad_(True)
        margins = view_margins(members, noisy, points_px, draw_jitter(JitterRanges(), rng))
        (gradient,) = torch.autograd.grad(margins.sum(), noisy)
        total += gradient.abs() / gradient.abs().mean().clamp_min(1e-12)
    return total / SALIENCY_VIEWS


def choose_cells(
    region: FaceRegion, worth: NDArray[np.float64], settings: TemplateSettings, user_seed: int | None
) -> NDArray[np.int32]:
    """The cells of one face in the working picture.

    Args:
        worth: (h, w) of the working picture, what a change of each pixel is worth.
        user_seed: shifts the grid and weighs the cells anew, so that users' templates differ; None for the plain one.

    Returns:
        (n, 2) left and upper edges, sorted from top to bottom and left to right.
    """
    rng = None if user_seed is None else np.random.Generator(np.random.Philox(key=user_seed))
    side = settings.cell_px
    offset = np.zeros(2, int) if rng is None else rng.integers(0, side, 2)
    height, width = worth.shape
    columns, rows = (width - offset[0]) // side, (height - offset[1]) // side
    row, column = np.divmod(np.arange(rows * columns), columns)
    corners = np.stack([column, row], axis=1) * side + offset
    features = region.working_landmarks_px[list(FEATURES)]
    distance = np.linalg.norm(corners[:, None] + side / 2 - features, axis=2).min(axis=1)
    inner = worth[offset[1] :, offset[0] :][: rows * side, : columns * side]
    value = inner.reshape(rows, side, columns, side).sum(axis=(1, 3)).reshape(-1)
    if rng is not None:
        distance = distance * np.exp(UNIQUE_SPREAD * rng.normal(size=len(distance)))
        value = value * np.exp(UNIQUE_SPREAD * rng.normal(size=len(value)))
    chosen = np.zeros(len(corners), bool)
    chosen[np.argsort(distance, kind="stable")[: settings.near_features]] = True
    chosen[np.argsort(np.where(chosen, np.inf, -value), kind="stable")[: settings.salient]] = True
    return corners[chosen].astype(np.int32)


def photo_template(region: FaceRegion, corners_px: NDArray[np.int32], cell_px: int) -> Template:
    """Cells of the working picture as cells of the photo."""
    origin = np.array([region.left_px, region.top_px])
    side = np.full((len(corners_px), 1), cell_px * region.block_px)
    return Template(np.concatenate([corners_px * region.block_px + origin, side], axis=1).astype(np.int32))


def overlap(first: Template, second: Template, height_px: int, width_px: int) -> float:
    """Share of the pixels under either template that lie under both (Jaccard index), in [0, 1]."""
    one, other = first.mask(height_px, width_px), second.mask(height_px, width_px)
    return float((one & other).sum() / max((one | other).sum(), 1))
