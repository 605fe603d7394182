"""Interception values sigma: how much of a change each part of a face keeps, as little as still hides it.

The paper's second stage: once the change is learned with sigma = 1, "each feature point is adjusted separately" by the
chimp optimization algorithm until the photo looks right. Here the feature points are grouped by `PARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.digital.chimp import Objective, SearchSettings, chimp_search
from maskdesign.digital.perturb import FaceTask, PerturbSettings, changed, face_ssim
from maskdesign.digital.region import FaceRegion
from maskdesign.digital.sight import STEADY, Jitter, JitterRanges, draw_jitter, view_margins
from maskdesign.digital.superposition import PARTS, part_maps

Search = Callable[
    [Objective, NDArray[np.float64], NDArray[np.float64], SearchSettings, int], tuple[NDArray[np.float64], float]
]
PENALTY = 1.0
"""Loss of SSIM that a margin too high by one unit is worth: no visible gain pays for being recognized."""


@dataclass(frozen=True)
class SigmaTask:
    """What a search of sigma needs to know.

    Attributes:
        face: the task whose change is to be intercepted.
        change: (C, h, w) in whole gray levels.
        parts: (h, w), which of `PARTS` each pixel belongs to.
        views: in which every margin must stay below `safe_margin`.
    """

    face: FaceTask
    change: Tensor
    parts: Tensor
    views: Sequence[Jitter]
    safe_margin: float


def sigma_task(
    region: FaceRegion, face: FaceTask, change: Tensor, settings: PerturbSettings, rng: np.random.Generator
) -> SigmaTask:
    """The search for a change of a face: parts from its landmarks, views as the climb checks them, drawn once."""
    parts = torch.from_numpy(part_maps(region, *change.shape[1:]))
    views = (STEADY, *(draw_jitter(JitterRanges(), rng) for _ in range(settings.check_views)))
    return SigmaTask(face, change, parts, views, settings.safe_margin)


def intercepted(change: Tensor, parts: Tensor, sigma: NDArray[np.float64]) -> Tensor:
    """The change in whole gray levels, each part's multiplied by its sigma.

    Args:
        change: (C, h, w).
        parts: (h, w), rows of `PARTS`.
        sigma: one for each of `PARTS`, in [0, 1].
    """
    return (change * torch.as_tensor(sigma, dtype=change.dtype)[parts]).round()


@torch.no_grad()
def visibility(task: SigmaTask, sigma: NDArray[np.float64]) -> float:
    """1 - SSIM in the face, plus a penalty where a recognizer would still know it in one of the views."""
    image = changed(task.face, intercepted(task.change, task.parts, sigma))
    margins = [view_margins(task.face.members, image, task.face.points_px, view) for view in task.views]
    excess = max(0.0, torch.stack(margins).max().item() - task.safe_margin)
    return 1 - face_ssim(task.face, image) + PENALTY * excess


def searched_sigma(
    task: SigmaTask, settings: SearchSettings, seed: int, search: Search = chimp_search
) -> NDArray[np.float64]:
    """Sigma of each part that shows least; all 1 where the search finds nothing better.

    Args:
        search: `chimp_search`, or `plain_search` as its control.
    """
    whole = np.ones(len(PARTS))
    sigma, value = search(lambda point: visibility(task, point), np.zeros(len(PARTS)), whole, settings, seed)
    return sigma if value < visibility(task, whole) else whole


def uniform_sigma(task: SigmaTask, evaluations: int) -> NDArray[np.float64]:
    """The least sigma that is the same for all parts and still hides the face: the control with one unknown."""
    low, high = 0.0, 1.0
    for _ in range(evaluations):
        middle = (low + high) / 2
        hides = visibility(task, np.full(len(PARTS), middle)) < visibility(task, np.full(len(PARTS), high))
        low, high = (low, middle) if hides else (middle, high)
    return np.full(len(PARTS), high)
