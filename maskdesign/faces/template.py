"""The built-in head as a template to register scans to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.head_model import fit_head, load_head_model
from maskdesign.faces.landmarks import LANDMARK_INDEX

FACE_DEPTH_MM, FACE_TOP_MM, FACE_BOTTOM_MM, FACE_HALF_WIDTH_MM = 75.0, 55.0, -75.0, 62.0
REGISTER_POINTS = 700


@dataclass(frozen=True)
class Template:
    """The mean head.

    Attributes:
        face_mm: (n, 3) points spread over the middle of the face, brows to chin.
        landmarks_mm: every name of `LANDMARKS` -> (3,).
        mesh_points_mm: (478, 3) the canonical landmarks of mediapipe.

    Convention: face frame of `FaceScan`.
    """

    face_mm: NDArray[np.float64]
    landmarks_mm: Mapping[str, NDArray[np.float64]]
    mesh_points_mm: NDArray[np.float64]


@lru_cache(maxsize=1)
def load_template() -> Template:
    """The built-in head, fitted to its own landmarks.

    Raises:
        InputError: the installation lacks it.
    """
    model = load_head_model()
    head = fit_head(model, model.canonical_mm)
    surface = head.surface_mm
    x, y, z = surface.T
    face = (z > -FACE_DEPTH_MM) & (y < FACE_TOP_MM) & (y > FACE_BOTTOM_MM) & (np.abs(x) < FACE_HALF_WIDTH_MM)
    chosen = surface[face]
    landmarks = {name: surface[index] for name, index in LANDMARK_INDEX.items()}
    landmarks |= {f"ear_{side}": ear[model.ear_hook] for side, ear in zip(("left", "right"), head.ears_mm, strict=True)}
    return Template(chosen[_spread(chosen, REGISTER_POINTS)], landmarks, model.canonical_mm - model.canonical_mm[4])


def _spread(points: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Indices of about `count` points, one for each cell of a cubic grid, so that dense places weigh no more."""
    low, high = 0.1, 50.0
    while high - low > 0.1:
        edge = (low + high) / 2
        cells = np.unique(np.floor(points / edge).astype(int), axis=0, return_index=True)[1]
        low, high = (edge, high) if len(cells) > count else (low, edge)
    return np.sort(np.unique(np.floor(points / high).astype(int), axis=0, return_index=True)[1])
