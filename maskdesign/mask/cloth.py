"""`Cloth`: the sheet's constraints with the stiffnesses of one stage, as the compiled solver takes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskdesign.mask.constraints import LayerPairs, SheetConstraints
from maskdesign.mask.measure import pleat_angles_deg
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings, DrapeStage
from maskdesign.mask.sheet import SheetGrid

ALONG_ROWS = 3.0
"""Stiffness along the rows over that across them."""
FAN = 1.5
"""How slowly the pleats begin to open beside the welds: power of a quarter sine wave."""


class Cloth(NamedTuple):
    """What holds the sheet together, as arrays for the compiled code; see `SheetConstraints` for the shapes.

    `bending` (B,) and `hinge_stiffness` are in [0, 1]; `hinge_rest_mm` (H,) is what the wanted angle puts between the
    layers of a pair.
    """

    edges: NDArray[np.int32]
    rest_mm: NDArray[np.float64]
    edge_starts: NDArray[np.int32]
    bends: NDArray[np.int32]
    bend_weights: NDArray[np.float64]
    bend_starts: NDArray[np.int32]
    bending: NDArray[np.float64]
    outer: NDArray[np.int32]
    inner: NDArray[np.int32]
    facing: NDArray[np.int32]
    fold: NDArray[np.int32]
    beside_u: NDArray[np.int32]
    beside_v: NDArray[np.int32]
    welded: NDArray[np.bool_]
    gap_mm: float
    hinge_outer: NDArray[np.int32]
    hinge_inner: NDArray[np.int32]
    hinge_rest_mm: NDArray[np.float64]
    hinge_stiffness: NDArray[np.float64]
    nose: NDArray[np.int32]
    mirror: NDArray[np.int32]


def hinge_pairs(pairs: LayerPairs, pattern: MaskPattern) -> NDArray[np.int64]:
    """(H,) numbers of the pairs that act as hinges, none of them in the weld."""
    # The ends of the panels carry the angle of the pleat, the points next to the fold keep its crease sharp.
    share = pairs.from_fold_mm / pattern.pleat_depth_mm
    acts = (share > 1 - 1e-6) | (share < 0.5 + 1e-6)
    return np.flatnonzero(acts & (pairs.side_mm > pattern.weld_mm + 1e-9))


def hinge_rest_mm(
    grid: SheetGrid,
    pairs: LayerPairs,
    hinges: NDArray[np.int64],
    settings: DrapeSettings,
    wanted_mm: float,
    opened: float,
) -> NDArray[np.float64]:
    """Distances (H,) that the wanted angles put between the layers.

    Args:
        hinges: from `hinge_pairs`.
        wanted_mm: opening to ask for.
        opened: share of the angles, in [0, 1].
    """
    # The pleats fan out from the welds, where they are shut, to the middle, where they show the wanted angle.
    pattern = grid.pattern
    inward = (pairs.side_mm[hinges] - pattern.weld_mm) / (pattern.width_mm / 2 - pattern.weld_mm)
    angles = np.radians(pleat_angles_deg(pattern, wanted_mm, settings.nose_pleat_share))
    angle = opened * angles[pairs.pleat[hinges]] * np.sin(np.pi / 2 * inward) ** FAN
    return np.maximum(2 * pairs.from_fold_mm[hinges] * np.sin(angle / 2), settings.layer_gap_mm)


def build_cloth(grid: SheetGrid, constraints: SheetConstraints, settings: DrapeSettings, stage: DrapeStage) -> Cloth:
    """Arrays for the solver; `hinge_rest_mm` is zero and set block by block."""
    pattern, sheet, pairs = grid.pattern, grid.sheet_mm, constraints.pairs
    hinges = hinge_pairs(pairs, pattern)
    whole_panel = pairs.from_fold_mm[hinges] > pattern.pleat_depth_mm - 1e-6
    ends = sheet[constraints.bends]
    along_rows = ends[:, 0, 1] == ends[:, 2, 1]
    from_nose = np.hypot(sheet[:, 0] - pattern.width_mm / 2, sheet[:, 1] - pattern.nose_v_mm)
    return Cloth(
        edges=constraints.edges,
        rest_mm=constraints.rest_mm,
        edge_starts=constraints.edge_starts,
        bends=constraints.bends,
        bend_weights=constraints.bend_weights,
        bend_starts=constraints.bend_starts,
        bending=np.where(along_rows, ALONG_ROWS, 1.0) * stage.bending,
        outer=pairs.outer,
        inner=pairs.inner,
        facing=pairs.facing,
        fold=pairs.fold,
        beside_u=pairs.beside_u,
        beside_v=pairs.beside_v,
        welded=pairs.side_mm <= pattern.weld_mm + 1e-9,
        gap_mm=settings.layer_gap_mm,
        hinge_outer=pairs.outer[hinges],
        hinge_inner=pairs.inner[hinges],
        hinge_rest_mm=np.zeros(len(hinges)),
        hinge_stiffness=settings.hinge_stiffness * np.where(whole_panel, stage.hinge, max(stage.hinge, stage.crease)),
        nose=np.flatnonzero(from_nose <= 2 * pattern.cell_mm + 1e-9).astype(np.int32),
        mirror=grid.mirror,
    )
