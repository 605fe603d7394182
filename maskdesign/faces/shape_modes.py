"""Ways in which adult faces differ, as displacements of the built-in head's landmarks: the project's own shape model.

Each mode is a smooth displacement with one anthropometric meaning; its size is the standard deviation that gives
measures the spread found on 200 random heads of ICT-FaceKit (`TARGETS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

MEASURES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "face_breadth": (234, 454),
        "eye_corners": (33, 263),
        "nose_length": (168, 2),
        "nose_width": (98, 327),
        "mouth_width": (61, 291),
        "nasion_chin": (168, 152),
    }
)
"""Name -> the two of mediapipe's landmarks whose distance it is; face breadth lies before the ears."""

TARGETS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"face_breadth": (146.5, 7.1), "eye_corners": (88.8, 4.8), "nasion_chin": (112.7, 6.3)}
)
"""Name -> mean and standard deviation in millimeters."""

RIPPLE_MM, RIPPLE_LENGTH_MM, RIPPLE_COUNT = 0.9, 38.0, 24
"""What no named mode explains: standard deviation, reach and number of smooth random bumps."""
MAX_DEVIATIONS = 2.5


@dataclass(frozen=True)
class ShapeMode:
    """One way to differ.

    Attributes:
        name: what it changes.
        field: (n, 3) points in the face frame -> (n, 3) displacement in mm for one standard deviation.
    """

    name: str
    field: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _stretch(name: str, factors: tuple[float, float, float]) -> ShapeMode:
    return ShapeMode(name, lambda points: points * factors)


def _bump(
    name: str,
    center: tuple[float, float, float],
    reach: tuple[float, float, float],
    move: tuple[float, float, float],
    sideways: float = 0.0,
) -> ShapeMode:
    """A Gaussian bump at a place and its mirror image; `sideways` moves both away from the middle."""

    def field(points: NDArray[np.float64]) -> NDArray[np.float64]:
        mirrored = np.abs(points[:, 0]) - center[0]
        offsets = np.column_stack([mirrored, points[:, 1] - center[1], points[:, 2] - center[2]]) / reach
        weight = np.exp(-(offsets**2).sum(axis=1) / 2)
        out = np.tanh(points[:, 0] / 4) * sideways
        return weight[:, None] * (np.array(move) + np.column_stack([out, np.zeros((len(points), 2))]))

    return ShapeMode(name, field)


def _lean(name: str, sideways: float) -> ShapeMode:
    return ShapeMode(name, lambda points: np.column_stack([points[:, 1] / 60 * sideways, np.zeros((len(points), 2))]))


FAR = 1e6
MODES = (
    _stretch("size", (0.031, 0.031, 0.031)),
    _stretch("breadth", (0.032, 0, 0)),
    _stretch("height", (0, 0.032, 0)),
    _stretch("depth", (0, 0, 0.045)),
    _bump("jaw breadth", (62, -45, -70), (28, 30, 45), (0, 0, 0), 3.0),
    _bump("cheek breadth", (66, 5, -65), (20, 25, 40), (0, 0, 0.8), 2.4),
    _bump("chin height", (0, -75, -30), (35, 18, FAR), (0, 3.2, 0)),
    _bump("chin protrusion", (0, -72, -25), (26, 20, FAR), (0, 0, 3.0)),
    _bump("eye distance", (33, 34, -32), (26, 14, FAR), (0, 0, 0), 1.0),
    _bump("eye height", (33, 34, -32), (22, 12, FAR), (0, 1.3, 0)),
    _bump("eye depth", (33, 34, -32), (18, 12, FAR), (0, 0, 1.5)),
    _bump("brow ridge", (20, 52, -15), (26, 9, FAR), (0, 0, 1.6)),
    _bump("forehead slope", (0, 80, -25), (45, 25, FAR), (0, 0, 3.0)),
    _bump("nose length", (0, -4, -6), (16, 16, 30), (0, 1.9, 0)),
    _bump("nose width", (15, -5, -14), (10, 11, 25), (0, 0, 0), 1.3),
    _bump("nose protrusion", (0, -1, -2), (14, 15, 25), (0, 0, 2.0)),
    _bump("nose bridge", (0, 22, -10), (10, 16, FAR), (0, 0, 1.6)),
    _bump("mouth width", (24, -30, -25), (12, 12, FAR), (0, 0, 0), 1.7),
    _bump("mouth height", (0, -30, -15), (28, 11, FAR), (0, 1.5, 0)),
    _bump("lips", (0, -30, -12), (20, 9, FAR), (0, 0, 1.4)),
    _bump("cheek fullness", (38, -18, -38), (20, 20, 40), (0, 0, 2.0), 0.8),
    _lean("lean", 0.8),
)


def vary_shape(landmarks_mm: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """A random adult's landmarks around given mean ones.

    Args:
        landmarks_mm: (478, 3) the mean, in the face frame.
        random: draws one deviation for each mode, each within 2.5 standard deviations, and the ripples.

    Returns:
        (478, 3).
    """
    deviations = np.clip(random.normal(size=len(MODES)), -MAX_DEVIATIONS, MAX_DEVIATIONS)
    moved = landmarks_mm.copy()
    for mode, deviation in zip(MODES, deviations, strict=True):
        moved += deviation * mode.field(landmarks_mm)
    return moved + _ripples(landmarks_mm, random)


def _ripples(points: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    centers = points[random.choice(468, RIPPLE_COUNT, replace=False)]
    moves = random.normal(size=(RIPPLE_COUNT, 3)) * RIPPLE_MM
    squared = ((points[:, None] - centers) ** 2).sum(axis=2)
    return np.exp(-squared / (2 * RIPPLE_LENGTH_MM**2)) @ moves


def adult_mean(canonical_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(478, 3) canonical landmarks stretched along x and y to the mean adult measures of `TARGETS`."""
    across = np.mean([TARGETS[name][0] / measure(canonical_mm, name) for name in ("face_breadth", "eye_corners")])
    up = TARGETS["nasion_chin"][0] / measure(canonical_mm, "nasion_chin")
    return canonical_mm * [across, up, (across + up) / 2]


def measure(landmarks_mm: NDArray[np.float64], name: str) -> float:
    """A measure of `MEASURES` on mediapipe's landmarks, (>= 468, 3), in millimeters."""
    first, second = MEASURES[name]
    return float(np.linalg.norm(landmarks_mm[first] - landmarks_mm[second]))
