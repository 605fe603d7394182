"""`SheetGrid`: the pattern as a grid of points whose rows keep the folds, and what is next to what on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from maskdesign.mask.pattern import MaskPattern, panel_of_row


@dataclass(frozen=True)
class SheetGrid:
    """A grid of points on the flat sheet.

    Attributes:
        pattern: what is being folded.
        u_mm: (C,) increasing, mirror symmetric about the middle of the sheet.
        v_mm: (R,) increasing; holds every fold.

    Convention: vertex (row r, column c) has index r * C + c.
    """

    pattern: MaskPattern
    u_mm: NDArray[np.float64]
    v_mm: NDArray[np.float64]

    @cached_property
    def index(self) -> NDArray[np.int32]:
        """(R, C) vertex indices."""
        return np.arange(len(self.v_mm) * len(self.u_mm), dtype=np.int32).reshape(len(self.v_mm), len(self.u_mm))

    @cached_property
    def mirror(self) -> NDArray[np.int32]:
        """(R C,) the vertex on the other side of the middle."""
        return np.ascontiguousarray(self.index[:, ::-1]).ravel()

    @cached_property
    def sheet_mm(self) -> NDArray[np.float64]:
        """(R C, 2) points of the flat sheet."""
        u, v = np.meshgrid(self.u_mm, self.v_mm)
        return np.column_stack([u.ravel(), v.ravel()])

    @cached_property
    def layer(self) -> NDArray[np.int8]:
        """(R C,) panel between folds of each vertex."""
        return panel_of_row(self.pattern, self.sheet_mm[:, 1])

    @cached_property
    def triangles(self) -> NDArray[np.int32]:
        """(2 (R - 1) (C - 1), 3), counterclockwise seen from the printed side, diagonals mirrored about the middle."""
        i = self.index
        a, b, c, d = i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]
        left = np.broadcast_to((self.u_mm[:-1] + self.u_mm[1:])[None, :] < self.pattern.width_mm, a.shape)
        first = np.where(left[..., None], np.stack([a, b, d], -1), np.stack([a, b, c], -1))
        second = np.where(left[..., None], np.stack([b, c, d], -1), np.stack([a, c, d], -1))
        return np.stack([first, second], axis=2).reshape(-1, 3).astype(np.int32)

    def row_of(self, v_mm: float) -> int | None:
        """Row at this height, or None where the grid has none."""
        row = int(np.argmin(abs(self.v_mm - v_mm)))
        return row if abs(self.v_mm[row] - v_mm) < 1e-6 else None


def fine_grid(pattern: MaskPattern) -> SheetGrid:
    """Every multiple of the pattern's cell: 71 x 63 points for the default."""
    columns, rows = round(pattern.width_mm / pattern.cell_mm), round(pattern.height_mm / pattern.cell_mm)
    u, v = np.arange(columns + 1) * pattern.cell_mm, np.arange(rows + 1) * pattern.cell_mm
    return SheetGrid(pattern, u, v)


def coarse_grid(pattern: MaskPattern) -> SheetGrid:
    """About every other point of `fine_grid`, a subset of it; folds, edges and both partners of each fold stay."""
    fine = fine_grid(pattern)
    columns = len(fine.u_mm) - 1
    # The steps of two cells meet in the middle, where the face curves most; what is left over lies in the weld.
    half = set(range(columns // 2, 0, -2)) | {0}
    u = fine.u_mm[sorted(half | {columns - c for c in half})]
    return SheetGrid(pattern, u, _coarse_rows(pattern, fine.v_mm))


def _coarse_rows(pattern: MaskPattern, rows_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    d, cell = pattern.pleat_depth_mm, pattern.cell_mm
    if round(d / cell) % 2:
        return rows_mm
    kept = {0, len(rows_mm) - 1}
    for fold, _ in pattern.fold_rows_mm:
        row = round(fold / cell)
        steps = range(0, round(d / cell) + 1, 2)
        kept |= {row - s for s in steps} | {row + s for s in steps}
    corners = sorted(kept)
    for start, stop in pairwise(corners):
        kept |= set(range(start, stop, 2))
    return rows_mm[sorted(kept)]


def refine_positions(coarse: SheetGrid, fine: SheetGrid, positions_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions of the fine grid's points by bilinear interpolation between the coarse grid's.

    Args:
        positions_mm: (R C, 3) of the coarse grid.

    Returns:
        (R' C', 3). Folds stay sharp, for they are rows of both grids.
    """
    surface = positions_mm.reshape(len(coarse.v_mm), len(coarse.u_mm), 3)
    by_row = _interpolate(coarse.v_mm, fine.v_mm, surface)
    return _interpolate(coarse.u_mm, fine.u_mm, by_row.swapaxes(0, 1)).swapaxes(0, 1).reshape(-1, 3)


def _interpolate(
    known: NDArray[np.float64], wanted: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    below = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 2)
    t = ((wanted - known[below]) / (known[below + 1] - known[below]))[:, None, None]
    return values[below] * (1 - t) + values[below + 1] * t
