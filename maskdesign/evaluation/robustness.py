"""The robustness grid: how a design fares as pose, light, distance, pleat opening and placement change together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ConfigError
from maskdesign.evaluation.grid import EvaluationSettings, evaluation_lights, evaluation_view
from maskdesign.render.view import View

FACTORS = ("yaw", "pitch", "light", "distance", "opening", "placement")
LEVELS = 3
"""Of each factor but the pose: four factors of three levels make an orthogonal array of nine runs."""


@dataclass(frozen=True)
class RobustnessSettings:
    """Levels of the grid.

    Attributes:
        yaw_deg, pitch_deg: head poses, every yaw with every pitch. 0 and 45 are those of PrivacyMask's Fig 13.
        distance_mm: camera to head, near to far; the lens stays, so that a far head has fewer pixels.
        opening_mm: pleat openings.
        placement_mm: how far from its place the mask sits.
    """

    yaw_deg: tuple[float, ...] = (-45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0)
    pitch_deg: tuple[float, ...] = (-20.0, 0.0, 20.0, 45.0)
    distance_mm: tuple[float, float, float] = (500.0, 800.0, 1600.0)
    opening_mm: tuple[float, float, float] = (103.0, 115.0, 125.0)
    placement_mm: tuple[float, float, float] = (0.0, 3.0, 6.0)

    def __post_init__(self) -> None:
        if not self.yaw_deg or not self.pitch_deg:
            raise ConfigError("robustness.yaw_deg and robustness.pitch_deg must name at least one angle each")
        if min(self.distance_mm) < 150 or not 0 <= min(self.placement_mm) <= max(self.placement_mm) <= 15:
            raise ConfigError(
                "robustness.distance_mm must be at least 150, robustness.placement_mm lie between 0 and 15"
            )


def level_names(settings: RobustnessSettings) -> dict[str, list[str]]:
    """Factor -> its levels in words, in order."""
    numbers = {
        "yaw": settings.yaw_deg,
        "pitch": settings.pitch_deg,
        "distance": settings.distance_mm,
        "opening": settings.opening_mm,
        "placement": settings.placement_mm,
    }
    named = {factor: [f"{value:g}" for value in values] for factor, values in numbers.items()}
    return {factor: named.get(factor, list(evaluation_lights())) for factor in FACTORS}


def conditions(settings: RobustnessSettings) -> NDArray[np.int64]:
    """(n, 6) level of each factor in each view, in the order of `FACTORS`; nearest distance first.

    Every pose meets the nine runs of Taguchi's array L9, in which any two of light, distance, opening and placement
    take all nine pairs of levels once. So the mean over the views of any pair of levels of any two factors is an
    equal mean over the levels of every other one, at a ninth of the views of the whole product.
    """
    runs = [(a, b, (a + b) % LEVELS, (a + 2 * b) % LEVELS) for a, b in itertools.product(range(LEVELS), repeat=2)]
    poses = itertools.product(range(len(settings.yaw_deg)), range(len(settings.pitch_deg)))
    rows = [(*pose, *run) for pose, run in itertools.product(poses, runs)]
    return np.array(sorted(rows, key=lambda row: row[3]), dtype=np.int64)


def robustness_views(settings: RobustnessSettings, grid: EvaluationSettings, rows: NDArray[np.int64]) -> list[View]:
    """One view of each condition; scene k shows opening k // 3 and placement k % 3.

    Args:
        grid: resolution at `grid.distance_mm`, of which farther heads have less and nearer ones more.
        rows: of `conditions`.
    """
    lights = list(evaluation_lights().values())
    views = []
    for seed, (yaw, pitch, light, distance, opening, placement) in enumerate(rows.tolist()):
        pose = settings.yaw_deg[yaw], settings.pitch_deg[pitch]
        scene = opening * LEVELS + placement
        views.append(evaluation_view(grid, *pose, lights[light], seed, settings.distance_mm[distance], scene))
    return views


def placement_shift_mm(settings: RobustnessSettings, opening: int, placement: int) -> tuple[float, float]:
    """How far a misplaced mask slips, to the right and up; at each opening in a direction of its own."""
    angle = np.radians(90 + 120 * opening)
    length = settings.placement_mm[placement]
    return float(length * np.cos(angle)), float(length * np.sin(angle))


def pair_table(
    rows: NDArray[np.int64], values: Sequence[float] | NDArray[np.float64], first: int, second: int
) -> NDArray[np.float64]:
    """Mean of a figure by the levels of two factors.

    Args:
        rows: of `conditions`.
        values: (n,) one figure a view.
        first, second: positions in `FACTORS`.

    Returns:
        (levels of the first, levels of the second).
    """
    shape = rows[:, first].max() + 1, rows[:, second].max() + 1
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (rows[:, first], rows[:, second]), values)
    np.add.at(counts, (rows[:, first], rows[:, second]), 1)
    return sums / np.maximum(counts, 1)


def level_means(rows: NDArray[np.int64], values: Sequence[float] | NDArray[np.float64], factor: int) -> list[float]:
    """Mean of a figure at each level of a factor."""
    return np.diag(pair_table(rows, values, factor, factor)).tolist()


def pose_views(settings: RobustnessSettings, rows: NDArray[np.int64]) -> Mapping[str, NDArray[np.bool_]]:
    """The three poses of PrivacyMask's Fig 13 -> which views show them; a pose that the grid lacks is left out."""
    yaw, pitch = np.array(settings.yaw_deg)[rows[:, 0]], np.array(settings.pitch_deg)[rows[:, 1]]
    poses = {
        "front": (yaw == 0) & (pitch == 0),
        "45 degrees up": (yaw == 0) & (pitch == 45),
        "45 degrees lateral": (np.abs(yaw) == 45) & (pitch == 0),
    }
    return {name: chosen for name, chosen in poses.items() if chosen.any()}
