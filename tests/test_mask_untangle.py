"""Layers pushed out of each other: to the side they belong to, evenly, and never to more crossings than before."""

from __future__ import annotations

import numpy as np
import pytest

from maskdesign.mask.crossings import find_crossings
from maskdesign.mask.drape import shut_positions_mm
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sheet import SheetGrid, fine_grid
from maskdesign.mask.untangle import push_apart

GAP_MM = 0.31


@pytest.fixture(scope="module")
def grid() -> SheetGrid:
    return fine_grid(MaskPattern())


def _dented(grid: SheetGrid, v_mm: float, u_mm: float, depth_mm: float) -> np.ndarray:
    """The shut mask of the box with one point, and its mirror image, pushed along z through the layer beside it."""
    x = shut_positions_mm(grid, GAP_MM)
    row, column = grid.row_of(v_mm), int(np.argmin(abs(grid.u_mm - u_mm)))
    assert row is not None
    point = grid.index[row, column]
    x[[point, grid.mirror[point]], 2] += depth_mm
    return x


@pytest.mark.parametrize(("v_mm", "depth_mm"), [(30.0, -0.5), (40.0, 0.5), (40.0, -0.5), (50.0, 0.5), (70.0, -0.5)])
def test_a_dent_is_pushed_back(grid: SheetGrid, v_mm: float, depth_mm: float) -> None:
    x = _dented(grid, v_mm, 40.0, depth_mm)
    dented, before = x.copy(), len(find_crossings(x, grid.triangles))
    assert before > 0
    for _ in range(40):
        push_apart(grid, x, find_crossings(x, grid.triangles))
    assert len(find_crossings(x, grid.triangles)) == 0
    assert (x != dented).any(axis=1).mean() < 0.02


def test_mirror_images_stay_mirror_images(grid: SheetGrid) -> None:
    x = _dented(grid, 40.0, 40.0, 0.5)
    push_apart(grid, x, find_crossings(x, grid.triangles))
    np.testing.assert_allclose(x, x[grid.mirror] * [-1, 1, 1], atol=1e-9)


def test_a_sheet_without_crossings_stays(grid: SheetGrid) -> None:
    x = shut_positions_mm(grid, GAP_MM)
    before = x.copy()
    push_apart(grid, x, find_crossings(x, grid.triangles))
    np.testing.assert_array_equal(x, before)
