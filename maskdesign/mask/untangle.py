"""Push layers that cut through each other apart again: the higher a panel is on the sheet, the farther out it lies.

The layer pairs of the solver keep order at points that lie on each other; between them an edge of one layer can
still pierce a triangle of the other, mostly beside a fold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.geometry.mesh import triangle_normals
from maskdesign.mask.cloth import Cloth
from maskdesign.mask.contact import Collider, no_contacts, refresh_contacts
from maskdesign.mask.crossings import find_crossings
from maskdesign.mask.pattern import panel_of_row
from maskdesign.mask.settings import DrapeSettings
from maskdesign.mask.sheet import SheetGrid
from maskdesign.mask.solver import Skin, settle, worst_strain

ROUNDS, SWEEPS = 60, 4
"""Most pushes, and sweeps over threads, layers and skin after each."""
APART_MM, FARTHEST_MM = 0.15, 1.0
"""Distance that a push leaves between an edge's end and the triangle's plane, and its largest step."""
HALF = 0.4
"""Share of the distance that either side moves."""
NEAR_MM = 0.3
"""Softens the weights of a triangle's corners, which are the reciprocal distances from the pushed end."""
REACH_MM = 40.0


def untangle(
    grid: SheetGrid,
    start_mm: NDArray[np.float64],
    cloth: Cloth,
    collider: Collider,
    settings: DrapeSettings,
    strain_max: float,
) -> NDArray[np.float64]:
    """Take crossings out of a settled sheet.

    Args:
        start_mm: (V, 3).
        cloth: as in the last sweeps of settling.
        strain_max: largest strain of a thread with which a state is taken.

    Returns:
        (V, 3): the first state without crossings, else the one with the fewest, which may be the start.
    """
    x, contacts, best, fewest = start_mm.copy(), no_contacts(start_mm), start_mm, -1
    for _ in range(ROUNDS):
        crossings = find_crossings(x, grid.triangles)
        allowed = fewest < 0 or worst_strain(x, cloth.edges, cloth.rest_mm) < strain_max
        if allowed and (fewest < 0 or len(crossings) < fewest):
            best, fewest = x.copy(), len(crossings)
        if fewest == 0:
            break
        push_apart(grid, x, crossings)
        refresh_contacts(collider, contacts, x, REACH_MM)
        skin = Skin(contacts.nearest_mm, contacts.direction, settings.clearance_mm, settings.friction)
        settle(x, cloth, skin, SWEEPS)
    return best


def push_apart(grid: SheetGrid, x: NDArray[np.float64], crossings: NDArray[np.int32]) -> None:
    """Move the wrong end of each crossing edge and the triangle apart, in place, all from the same state.

    Crossings of a panel with itself have no known order and stay as they are.

    Args:
        x: (V, 3).
        crossings: (n, 3) from `find_crossings`.
    """
    ends, corners = crossings[:, :2], grid.triangles[crossings[:, 2]]
    rows_mm = grid.sheet_mm[:, 1]
    above, below, panel = (
        panel_of_row(grid.pattern, v).astype(int)
        for v in (rows_mm[ends].mean(axis=1), rows_mm[ends].mean(axis=1) + 1e-6, rows_mm[corners].mean(axis=1))
    )
    # An edge on a fold belongs to the panels above and below.
    inward = np.where(above == panel, below, above) - panel
    ends, corners, inward, panel = (part[inward != 0] for part in (ends, corners, inward, panel))
    # Reversed panels, the odd ones, show their printed side inward.
    outward = np.where(panel % 2 == 0, 1.0, -1.0)[:, None] * triangle_normals(x, corners)
    side = -np.sign(inward)[:, None] * outward
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    height = ((x[ends] - x[corners[:, :1]]) * side[:, None]).sum(axis=2)
    wrong = np.take_along_axis(ends, height.argmin(axis=1)[:, None], axis=1)[:, 0]
    step = HALF * np.clip(APART_MM - height.min(axis=1), 0, FARTHEST_MM)[:, None] * side
    weights = 1 / (np.linalg.norm(x[corners] - x[wrong][:, None], axis=2) + NEAR_MM)
    weights /= weights.sum(axis=1, keepdims=True)
    np.add.at(x, wrong, step)
    np.add.at(x, corners, -weights[:, :, None] * step[:, None])
