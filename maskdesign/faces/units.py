"""How large a scan is: files rarely say their unit, heads do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ScanError

MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}
HEAD_EXTENT_MM = (110.0, 700.0)
"""From a face without its head to a bust; the longest side of the box around it."""
UNKNOWN_EXTENT_MM = 300.0
EYE_CORNERS_MM = (80.0, 105.0)
MEAN_EYE_CORNERS_MM = 88.8
"""Outer eye corners of adults: range, and mean of 200 random heads of ICT-FaceKit (standard deviation 4.8)."""


def guess_unit(vertices: NDArray[np.float64]) -> str:
    """The unit in which a surface is as large as a head; "unknown" where none fits.

    Args:
        vertices: (V, 3) in the file's unit.

    Raises:
        ScanError: the surface has no extent at all, or one that no unit of length explains.
    """
    extent = float(np.ptp(vertices, axis=0).max())
    if not 1e-6 < extent < 1e7:
        raise ScanError(f"the surface is {extent:g} units long; this cannot be a face: scale it to millimeters")
    for name in ("mm", "cm", "m"):
        if HEAD_EXTENT_MM[0] <= extent * MM_PER_UNIT[name] <= HEAD_EXTENT_MM[1]:
            return name
    return "unknown"


def mm_factor(vertices: NDArray[np.float64], unit: str) -> float:
    """Millimeters per unit; an unknown unit is taken from the extent of a head and a neck, for the eyes to correct.

    Raises:
        ScanError: the surface cannot be a face in that unit.
    """
    extent = float(np.ptp(vertices, axis=0).max())
    factor = MM_PER_UNIT[unit] if unit in MM_PER_UNIT else UNKNOWN_EXTENT_MM / extent
    if not HEAD_EXTENT_MM[0] / 2 <= extent * factor <= HEAD_EXTENT_MM[1] * 3:
        raise ScanError(
            f"the surface is {extent * factor:.4g} mm long in {unit}; this cannot be a face: scale it to millimeters"
        )
    return factor


def settle_factor(eye_corners_mm: float, unit: str) -> tuple[float, str]:
    """What a scan must be multiplied by so that its eyes are an adult's.

    Args:
        eye_corners_mm: distance of the outer eye corners in the unit guessed so far.
        unit: that unit, or "unknown".

    Returns:
        the factor, and how the unit should be called.

    Raises:
        ScanError: no unit makes the eyes an adult's.
    """
    low, high = EYE_CORNERS_MM
    if unit != "unknown" and low <= eye_corners_mm <= high:
        return 1.0, unit
    if unit == "unknown":
        return MEAN_EYE_CORNERS_MM / eye_corners_mm, "unknown, scaled to the mean distance of outer eye corners"
    for name, mm in MM_PER_UNIT.items():
        factor = mm / MM_PER_UNIT[unit]
        if low <= eye_corners_mm * factor <= high:
            return factor, name
    if 0.75 * low <= eye_corners_mm <= 1.25 * high:
        return 1.0, unit
    raise ScanError(
        f"the outer eye corners are {eye_corners_mm:.0f} mm apart in {unit}, an adult's {low:g} to {high:g}; "
        "give the distance of the pupils with --ipd-mm"
    )
