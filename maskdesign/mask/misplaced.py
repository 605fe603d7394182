"""Masks that sit a few millimeters beside their place, as on a wearer who has just put one on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from maskdesign.errors import ConfigError
from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.height_field import sample_heights
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.mask.worn import WornMask

STEP_MM = 2.0
SMOOTHING_MM = 6.0
"""Cloth bridges what is smaller than this."""
REACH_MM = 130.0
RADIUS_MM = 90.0
"""Of the ball that stands for the head."""
MOST_LIFT_MM = 2.0
MAX_PLACEMENTS = 16


@dataclass(frozen=True)
class PlacementRanges:
    """How far off a mask is worn.

    Attributes:
        placements: ways to wear it, the first one exact; views show each equally often.
        shift_mm: largest shift to either side and up and down.
        roll_deg: largest turn about the tip of the nose.

    Raises:
        ConfigError: a value outside its range.
    """

    placements: int = 1
    shift_mm: float = 3.0
    roll_deg: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.placements <= MAX_PLACEMENTS:
            raise ConfigError(f"placement.placements = {self.placements} must lie between 1 and {MAX_PLACEMENTS}")
        if not (0 <= self.shift_mm <= 15 and 0 <= self.roll_deg <= 15):
            raise ConfigError(
                f"placement.shift_mm = {self.shift_mm:g} and placement.roll_deg = {self.roll_deg:g} "
                "must lie between 0 and 15"
            )


def misplaced(face: FaceScan, worn: WornMask, ranges: PlacementRanges, seed: int) -> list[WornMask]:
    """The mask as it is draped, and as it sits on other days; counter based, placement i depends on (seed, i) alone."""
    return [worn] + [slide_mask(face, worn, *_draw(ranges, seed, number)) for number in range(1, ranges.placements)]


def _draw(ranges: PlacementRanges, seed: int, number: int) -> tuple[tuple[float, float], float]:
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, number]))
    dx, dy, roll = generator.uniform(-1, 1, 3)
    return (float(dx * ranges.shift_mm), float(dy * ranges.shift_mm)), float(roll * ranges.roll_deg)


def slide_mask(face: FaceScan, worn: WornMask, shift_mm: tuple[float, float], roll_deg: float) -> WornMask:
    """Slide a worn mask over the face without draping it again; right to first order, for shifts of millimeters.

    The mask turns as a whole about the middle of the head, as on a ball, and then follows the skin's relief where it
    would pierce it.

    Args:
        shift_mm: of the tip of the nose, to the right of the picture and up.
        roll_deg: clockwise in the picture, about the tip of the nose.
    """
    across, up = (length / RADIUS_MM for length in shift_mm)
    turn = Rotation.from_rotvec([-up, across, 0.0]) * Rotation.from_rotvec([0.0, 0.0, -np.radians(roll_deg)])
    center = np.array([0.0, 0.0, -RADIUS_MM])
    vertices = turn.apply(worn.mesh.vertices - center) + center
    before, after = (v[:, 2] - _heights_mm(face, v[:, :2]) for v in (worn.mesh.vertices, vertices))
    lift = np.clip(before - after, 0, MOST_LIFT_MM)
    return replace(worn, mesh=TriangleMesh(vertices + lift[:, None] * [0, 0, 1], worn.mesh.triangles))


def _heights_mm(face: FaceScan, places_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    ticks = np.arange(-REACH_MM, REACH_MM + STEP_MM, STEP_MM)
    heights = sample_heights(face.mesh, ticks, -ticks).z
    known = np.isfinite(heights)
    sigma = SMOOTHING_MM / STEP_MM
    weight = np.maximum(gaussian_filter(known.astype(float), sigma), 1e-6)
    smooth = gaussian_filter(np.where(known, heights, 0.0), sigma) / weight
    rows, columns = REACH_MM - places_mm[:, 1], places_mm[:, 0] + REACH_MM
    return map_coordinates(smooth, np.stack([rows, columns]) / STEP_MM, order=1, mode="nearest")
