"""Crossings of a sheet with itself: closed forms, and a brute-force twin on crumpled sheets."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from maskdesign.geometry.mesh import mesh_edges
from maskdesign.mask.crossings import find_crossings
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sheet import SheetGrid, fine_grid


def _pierced_brute_force(x: np.ndarray, triangles: np.ndarray) -> set[tuple[int, int, int]]:
    """Every edge against every triangle: solve p + s (q - p) = a + t (b - a) + w (c - a)."""
    found = set()
    for (i, j), (number, corners) in product(mesh_edges(triangles).tolist(), enumerate(triangles.tolist())):
        if i in corners or j in corners:
            continue
        a, b, c = x[corners]
        matrix = np.column_stack([x[i] - x[j], b - a, c - a])
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        s, t, w = np.linalg.solve(matrix, x[i] - a)
        if 0 < s < 1 and t >= 0 and w >= 0 and t + w <= 1:
            found.add((i, j, number))
    return found


def _strip(columns: int) -> SheetGrid:
    pattern = MaskPattern(pleat_rows_mm=())
    return SheetGrid(pattern, np.linspace(0, 30, columns), np.linspace(0, 10, 4))


@pytest.mark.parametrize("seed", range(4))
def test_crumpled_sheets_cross_where_brute_force_says(seed: int) -> None:
    grid, rng = _strip(12), np.random.default_rng(seed)
    flat = np.column_stack([grid.sheet_mm, np.zeros(len(grid.sheet_mm))])
    x = flat * [0.4, 1.0, 1.0] + rng.normal(scale=1.5, size=flat.shape)
    found = [tuple(row) for row in find_crossings(x, grid.triangles).tolist()]
    assert found == sorted(_pierced_brute_force(x, grid.triangles))
    assert len(found) > 20


def test_two_crossed_triangles() -> None:
    flat = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
    upright = np.array([[1.0, 1, -1], [1, 1, 1], [9, 9, 5]])
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    # The edge from z = -1 to 1 and the one from z = -1 to 5 both leave the lower side, but only one inside.
    assert find_crossings(np.vstack([flat, upright]), triangles).tolist() == [[1, 2, 1], [3, 4, 0]]
    assert len(find_crossings(np.vstack([flat, upright + np.array([0, 0, 2])]), triangles)) == 0


def test_a_rolled_sheet_crosses_itself_only_when_rolled_too_tight() -> None:
    grid = fine_grid(MaskPattern())
    turns = np.linspace(0, 2.2 * np.pi, len(grid.u_mm))

    def roll(radius_growth_mm: float) -> np.ndarray:
        radius = 20 + radius_growth_mm * turns
        angle, height = np.tile(turns, len(grid.v_mm)), grid.sheet_mm[:, 1]
        r = np.tile(radius, len(grid.v_mm))
        return np.column_stack([r * np.cos(angle), -height, r * np.sin(angle)])

    assert len(find_crossings(roll(0.5), grid.triangles)) == 0
    # When the last column goes back inside the first turn, each row pierces it once, and so does each diagonal.
    through = roll(0.5)
    through[grid.index[:, -1]] *= [0.5, 1.0, 0.5]
    ends = find_crossings(through, grid.triangles)[:, :2]
    last_pieces = np.unique(ends[(ends % len(grid.u_mm) == len(grid.u_mm) - 1).any(axis=1)], axis=0)
    assert len(last_pieces) == 2 * len(grid.v_mm) - 1


def test_the_shut_pleats_of_the_box_do_not_cross() -> None:
    from maskdesign.mask.drape import shut_positions_mm

    grid = fine_grid(MaskPattern())
    shut = shut_positions_mm(grid, 0.31)
    assert len(find_crossings(shut, grid.triangles)) == 0
    swapped = shut.copy()
    row = grid.row_of(70.0)
    assert row is not None
    swapped[grid.index[row], 2] += 1.0
    assert len(find_crossings(swapped, grid.triangles)) > 0
