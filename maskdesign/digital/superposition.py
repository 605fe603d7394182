"""Templates of several recognizers as nodes, joined by coefficients tau over the parts of a face (Fig 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from maskdesign.digital.cells import BROWS
from maskdesign.digital.region import FaceRegion
from maskdesign.errors import ConfigError
from maskdesign.faces.landmarks import EYE_RINGS, FACE_OVAL, LOWER_LIP, UPPER_LIP

PARTS = ("eye corners", "brows", "nose", "mouth", "jaw", "elsewhere")
"""The low-dimensional space in which the feature points of all recognizers meet."""
PART_POINTS = (
    (*EYE_RINGS[0], *EYE_RINGS[1]),
    BROWS,
    (4, 5, 195, 98, 327, 2),
    (*UPPER_LIP, *LOWER_LIP, 61, 291),
    FACE_OVAL,
)
REACH = 0.12


@dataclass(frozen=True)
class TemplateNode:
    """Where one recognizer looks at a face.

    Attributes:
        name: of the recognizer.
        worth: (h, w) of the working picture, at least 0, mean 1.
        pull: (h, w), the gradient of its margin summed over colors; the sign says which way a pixel should move. None
            where only the place is known, as from a template network.
    """

    name: str
    worth: NDArray[np.float64]
    pull: NDArray[np.float64] | None = None


def part_maps(region: FaceRegion, height_px: int, width_px: int) -> NDArray[np.int64]:
    """(h, w): which of `PARTS` each pixel of the working picture belongs to: the nearest one within reach."""
    y, x = np.mgrid[0:height_px, 0:width_px] + 0.5
    landmarks = region.working_landmarks_px
    reach = REACH * np.ptp(landmarks[:468, 0])
    nearest = [
        np.min([np.hypot(x - px, y - py) for px, py in landmarks[list(points)]], axis=0) for points in PART_POINTS
    ]
    distance = np.stack(nearest)
    return np.where(distance.min(axis=0) <= reach, distance.argmin(axis=0), len(PARTS) - 1)


def superpose(nodes: Sequence[TemplateNode], parts: NDArray[np.int64], tau: NDArray[np.float64]) -> NDArray[np.float64]:
    """The joint worth of every pixel: sum over recognizers of tau[recognizer, part of the pixel] x its worth.

    Args:
        parts: as `part_maps`.
        tau: (recognizers, parts), at least 0; a row of zeros leaves a recognizer out.

    Raises:
        ConfigError: tau has another shape or negative values.
    """
    if tau.shape != (len(nodes), len(PARTS)) or (tau < 0).any():
        raise ConfigError(f"tau must be {len(nodes)} x {len(PARTS)} and at least 0")
    return sum((tau[row][parts] * node.worth for row, node in enumerate(nodes)), np.zeros(parts.shape))


def trim_conflicts(nodes: Sequence[TemplateNode], worth: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Shut the pixels where recognizers pull in opposite directions (Fig 18c).

    Args:
        worth: as `superpose` gives it.
        most: the largest share of the joint worth that may be shut, the strongest conflicts first.
    """
    known = [node.pull for node in nodes if node.pull is not None]
    pulls = np.stack([pull / max(np.abs(pull).mean(), 1e-12) for pull in known])
    agreement = np.abs(pulls.sum(axis=0)) / np.maximum(np.abs(pulls).sum(axis=0), 1e-12)
    order = np.argsort(agreement, axis=None, kind="stable")
    spent = np.cumsum(worth.reshape(-1)[order]) / max(worth.sum(), 1e-12)
    shut = order[spent <= most]
    trimmed = worth.copy().reshape(-1)
    trimmed[shut] = 0
    return trimmed.reshape(worth.shape)


def fit_tau(
    nodes: Sequence[TemplateNode], parts: NDArray[np.int64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Adapt to a recognizer without a node of its own: the tau whose superposition comes closest to its worth.

    Args:
        wanted: (h, w) worth of the new recognizer, from a few of its answers.

    Returns:
        (recognizers, parts), by non-negative least squares.
    """
    tau = np.zeros((len(nodes), len(PARTS)))
    for part in range(len(PARTS)):
        inside = parts == part
        if inside.any():
            tau[:, part], _ = nnls(np.stack([node.worth[inside] for node in nodes], axis=1), wanted[inside])
    return tau
