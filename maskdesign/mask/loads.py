"""Loads that put the mask on: ear loops at the sides, the wire at the bridge of the nose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.scan import FaceScan
from maskdesign.mask.contact import Contacts
from maskdesign.mask.pattern import folded_v_mm
from maskdesign.mask.settings import DrapeSettings
from maskdesign.mask.sheet import SheetGrid

LOBE_SHARE = 0.9
"""The lower end of a loop leaves the ear at the lobe: share of the way from the ear's top to the corner of the jaw."""


@dataclass(frozen=True)
class LoopPull:
    """One end of an ear loop.

    Attributes:
        weights: (V,) share of the full load at each vertex, in [0, 1], 1 at the corner.
        anchor_mm: (3,) where the loop hooks in.
        upward: vertical part of the pull, the horizontal part being 1.
    """

    weights: NDArray[np.float64]
    anchor_mm: NDArray[np.float64]
    upward: float


@dataclass(frozen=True)
class MaskLoads:
    """Loads on a grid: four loop ends, and the vertices of the nose wire."""

    loops: tuple[LoopPull, ...]
    wire: NDArray[np.int64]


def build_loads(grid: SheetGrid, face: FaceScan, settings: DrapeSettings) -> MaskLoads:
    """Spread the loops' pull along the welded sides, which carry it, and find the wire.

    A pull at the very corners would fold the sides away from the cheeks and stretch a few cells by more than 10 %.
    """
    loops = tuple(
        _loop_pull(grid, face, settings, side, bottom) for side in ("left", "right") for bottom in (False, True)
    )
    across = abs(grid.sheet_mm[:, 0] - grid.pattern.width_mm / 2)
    in_hem = grid.sheet_mm[:, 1] <= settings.wire_rows_mm + 1e-9
    return MaskLoads(loops, np.flatnonzero(in_hem & (across <= settings.wire_length_mm / 2)))


def _loop_pull(grid: SheetGrid, face: FaceScan, settings: DrapeSettings, side: str, bottom: bool) -> LoopPull:
    pattern = grid.pattern
    corner_u, corner_t = pattern.width_mm * (side == "right"), pattern.folded_height_mm * bottom
    from_side = (grid.sheet_mm[:, 0] - corner_u) / settings.loop_reach_mm
    along_side = (folded_v_mm(pattern, grid.sheet_mm[:, 1]) - corner_t) / pattern.folded_height_mm
    weights = np.maximum(1.0 - np.hypot(from_side, along_side), 0.0)
    ear, jaw = face.landmarks[f"ear_{side}"], face.landmarks[f"jaw_{side}"]
    anchor = ear + LOBE_SHARE * (jaw - ear) if bottom else ear
    upward = -settings.loop_spread if bottom else settings.loop_spread
    return LoopPull(weights, anchor, upward)


def load_mm(
    loads: MaskLoads, settings: DrapeSettings, positions_mm: NDArray[np.float64], contacts: Contacts, share: float
) -> NDArray[np.float64]:
    """Accelerations at the present positions.

    Args:
        positions_mm: (V, 3).
        contacts: nearest points of the face, for the wire.
        share: factor on all loads, in [0, 1].

    Returns:
        (V, 3) millimeters per step squared.
    """
    total = np.zeros_like(positions_mm)
    for loop in loads.loops:
        middle = loop.weights @ positions_mm / loop.weights.sum()
        backward = (loop.anchor_mm - middle) * [1.0, 0.0, 1.0]
        direction = backward / np.linalg.norm(backward) + [0.0, loop.upward, 0.0]
        total += share * settings.loop_load_mm * loop.weights[:, None] * direction
    # Within the last millimeter the wire's pull fades, so that it does not hammer the bridge.
    gap = np.clip(contacts.distance_mm[loads.wire] - settings.clearance_mm, 0, 1)
    total[loads.wire] -= share * settings.wire_load_mm * gap[:, None] * contacts.direction[loads.wire]
    return total
