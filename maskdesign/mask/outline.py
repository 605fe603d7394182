"""What an outline of one's own must be: one simple polygon on the sheet, of use to a face and to the pleats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import PatternError
from maskdesign.geometry.polygon import crosses_itself, signed_distance

if TYPE_CHECKING:
    from maskdesign.mask.pattern import MaskPattern

MAX_POINTS = 2000
LEAST_WIDTH_MM, LEAST_FOLDED_MM = 120.0, 70.0
"""Less does not reach from cheek to cheek, and from the bridge of the nose to the chin."""
NOSE_ROOM_MM = 15.0
"""Cloth on every side of the tip of the nose."""
SLACK_MM = 1e-6


def check_outline(pattern: MaskPattern) -> None:
    """Refuse an outline that its pattern cannot have; None is the whole rectangle.

    Raises:
        PatternError: too few or too many points, numbers that are not finite, beyond the sheet, crossing itself, too
            small for a face, or cutting off a pleat or a weld.
    """
    if pattern.outline_mm is None:
        return
    ring = np.array(pattern.outline_mm, dtype=np.float64).reshape(-1, 2)
    if not 3 <= len(ring) <= MAX_POINTS:
        raise PatternError(f"the outline has {len(ring)} points, it must have 3 to {MAX_POINTS}; draw it simpler")
    if not np.isfinite(ring).all():
        raise PatternError("the outline holds numbers that are not finite; draw it again")
    _check_size(pattern, ring)
    if (ring == np.roll(ring, 1, axis=0)).all(axis=1).any() or crosses_itself(ring):
        raise PatternError("the outline crosses or touches itself; draw one simple closed line")
    _check_nose(pattern, ring)
    _check_pleats(pattern, ring)


def inside_outline(pattern: MaskPattern, sheet_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which places of the sheet, (..., 2) millimeters, are cloth; all of them where the pattern has no outline."""
    if pattern.outline_mm is None:
        return np.ones(sheet_mm.shape[:-1], np.bool_)
    from skimage.measure import points_in_poly

    return points_in_poly(sheet_mm.reshape(-1, 2), np.array(pattern.outline_mm)).reshape(sheet_mm.shape[:-1])


def _check_size(pattern: MaskPattern, ring: NDArray[np.float64]) -> None:
    width, height = np.ptp(ring, axis=0)
    sheet = f"{pattern.width_mm:g} x {pattern.height_mm:g} mm"
    size = f"the outline is {width:.6g} x {height:.6g} mm"
    if ring.min() < -SLACK_MM or (ring.max(axis=0) > np.array([pattern.width_mm, pattern.height_mm]) + SLACK_MM).any():
        raise PatternError(f"{size} and leaves the sheet of {sheet}; enlarge mask.width_mm, mask.height_mm or scale it")
    folded = height - (pattern.height_mm - pattern.folded_height_mm)
    if width < LEAST_WIDTH_MM or folded < LEAST_FOLDED_MM:
        raise PatternError(
            f"{size}, {folded:.4g} mm high with its pleats shut, smaller than a face needs "
            f"({LEAST_WIDTH_MM:g} x {LEAST_FOLDED_MM:g} mm); check the unit of the drawing"
        )
    if ring[:, 0].min() > pattern.weld_mm / 2 or ring[:, 0].max() < pattern.width_mm - pattern.weld_mm / 2:
        raise PatternError(f"{size} and cuts off the welds of the sheet of {sheet}; set mask.width_mm to its width")


def _check_nose(pattern: MaskPattern, ring: NDArray[np.float64]) -> None:
    nose = np.array([[pattern.width_mm / 2, pattern.nose_v_mm]])
    if signed_distance(ring, nose)[0] > -NOSE_ROOM_MM:
        raise PatternError(
            f"the outline leaves less than {NOSE_ROOM_MM:g} mm around the tip of the nose at "
            f"({nose[0, 0]:g}, {nose[0, 1]:g}) mm, smaller than a face needs; widen it there or move mask.nose_v_mm"
        )


def _check_pleats(pattern: MaskPattern, ring: NDArray[np.float64]) -> None:
    """The sheet must be whole, weld to weld, from the panel that the first pleat lies on to that below the last one."""
    if not pattern.pleat_rows_mm:
        return
    left, right = pattern.weld_mm / 2, pattern.width_mm - pattern.weld_mm / 2
    top, bottom = (
        pattern.pleat_rows_mm[0] - pattern.pleat_depth_mm,
        pattern.pleat_rows_mm[-1] + 2 * pattern.pleat_depth_mm,
    )
    u, v = np.linspace(left, right, 801), np.linspace(top, bottom, 801)
    sides = [(u, np.full(801, top)), (u, np.full(801, bottom)), (np.full(801, left), v), (np.full(801, right), v)]
    # A simple polygon has no holes, so what is whole along its border is whole.
    border = np.concatenate([np.column_stack(side) for side in sides])
    if signed_distance(ring, border).max() > SLACK_MM:
        raise PatternError(
            f"the outline cuts off a pleat or its weld: the sheet must be whole from {top:g} to {bottom:g} mm below "
            f"its upper edge and from {left:g} to {right:g} mm across; curve it above or below that"
        )
