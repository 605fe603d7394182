"""The flat pattern: exact pleat arithmetic, and bad patterns refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskdesign.errors import ConfigError, PatternError
from maskdesign.mask.constraints import build_constraints
from maskdesign.mask.drape import shut_positions_mm
from maskdesign.mask.measure import (
    area_ratio,
    edge_strain,
    layer_gaps_mm,
    opening_mm,
    pleat_angles_deg,
    straight_height_mm,
)
from maskdesign.mask.pattern import MaskPattern, folded_v_mm, panel_of_row
from maskdesign.mask.settings import DrapeSettings, check_settings, widest_opening_mm
from maskdesign.mask.sheet import coarse_grid, fine_grid, refine_positions

DEFAULT = MaskPattern()


@st.composite
def patterns(draw: st.DrawFn) -> MaskPattern:
    cell = draw(st.sampled_from([2.0, 2.5, 5.0]))
    depth = cell * draw(st.integers(2, 5))
    rows, at = [], 0.0
    for _ in range(draw(st.integers(0, 3))):
        at += depth + cell * draw(st.integers(0, 6))
        rows.append(at)
        at += depth
    height = at + depth + cell * draw(st.integers(1, 8))
    return MaskPattern(cell * draw(st.integers(20, 40)), height, tuple(rows), depth, cell, nose_v_mm=0.0)


def test_three_pleats_of_ten_millimeters_make_the_market_size() -> None:
    assert abs(DEFAULT.folded_height_mm - 95) < 1e-9
    assert round(DEFAULT.hidden_share, 3) == 0.387
    assert [v for v, _ in DEFAULT.fold_rows_mm] == [35, 45, 67.5, 77.5, 100, 110]


@given(patterns())
def test_the_folded_map_keeps_lengths_and_ends_at_the_folded_height(pattern: MaskPattern) -> None:
    v = np.linspace(0, pattern.height_mm, 2001)
    t = folded_v_mm(pattern, v)
    assert t[0] == 0
    assert abs(t[-1] - pattern.folded_height_mm) < 1e-9
    slope = np.diff(t) / np.diff(v)
    assert (abs(slope) <= 1 + 1e-9).all()
    middle = (v[1:] + v[:-1]) / 2
    clear = np.array([min([abs(m - f) for f, _ in pattern.fold_rows_mm], default=1e9) for m in middle]) > 0.5
    reversed_panel = panel_of_row(pattern, middle) % 2 == 1
    np.testing.assert_allclose(slope[clear], np.where(reversed_panel, -1, 1)[clear], atol=1e-6)


@given(patterns(), st.floats(0, 1))
def test_points_mirrored_at_a_fold_lie_on_each_other_when_shut(pattern: MaskPattern, share: float) -> None:
    for fold, _ in pattern.fold_rows_mm:
        s = share * pattern.pleat_depth_mm
        above, below = folded_v_mm(pattern, np.array([fold - s, fold + s]))
        assert abs(above - below) < 1e-9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width_mm": 0.0}, "width_mm = 0.0 must lie between"),
        ({"height_mm": float("nan")}, "height_mm = nan must lie between"),
        ({"cell_mm": -1.0}, "cell_mm = -1.0 must lie between"),
        ({"pleat_depth_mm": -10.0}, "pleat_depth_mm = -10.0 must be positive"),
        ({"pleat_rows_mm": (35.0, 50.0)}, "the pleat at 50.0 mm overlaps the one above"),
        ({"pleat_rows_mm": (5.0,)}, "overlaps the one above or the top edge"),
        ({"pleat_rows_mm": (140.0,)}, "leaves the sheet of 155.0 mm"),
        ({"pleat_rows_mm": (36.0,)}, "no multiple of cell_mm"),
        ({"cell_mm": 0.01}, "cell_mm = 0.01 makes more than 200000 cells"),
        ({"nose_v_mm": -20.0}, "nose_v_mm = -20.0 must lie on the sheet"),
        ({"nose_v_mm": 155.0}, "nose_v_mm = 155.0 must lie on the sheet"),
        ({"weld_mm": -1.0}, "weld_mm = -1.0 must lie between 0 and half"),
        ({"weld_mm": 200.0}, "weld_mm = 200.0 must lie between 0 and half"),
        ({"width_mm": 174.0}, "width_mm = 174.0 mm is no multiple of cell_mm = 2.5"),
    ],
)
def test_bad_patterns_are_refused_by_name_and_value(changes: dict, message: str) -> None:
    with pytest.raises(PatternError) as caught:
        MaskPattern(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("opening", [94.0, 131.0, float("nan")])
def test_openings_that_the_pleats_cannot_have_are_refused(opening: float) -> None:
    with pytest.raises(ConfigError, match=r"drape.opening_mm = .* must lie between 95 \(shut\) and 130 mm"):
        check_settings(DEFAULT, DrapeSettings(opening_mm=opening))


def test_the_default_grid_has_chessboard_corners_and_folds_on_its_points() -> None:
    grid = fine_grid(DEFAULT)
    assert len(grid.sheet_mm) == 71 * 63
    assert len(grid.triangles) == 2 * 70 * 62
    assert np.isin(np.arange(2.5, 155, 15), grid.v_mm).all()
    corner = grid.sheet_mm[grid.triangles]
    a, b = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    # v points down, so counterclockwise seen from the printed side is clockwise in (u, v).
    assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0).all()


@given(patterns())
def test_the_coarse_grid_is_a_mirrored_subset_that_keeps_folds_and_partners(pattern: MaskPattern) -> None:
    coarse, fine = coarse_grid(pattern), fine_grid(pattern)
    assert np.isin(coarse.u_mm, fine.u_mm).all()
    assert np.isin(coarse.v_mm, fine.v_mm).all()
    np.testing.assert_allclose(coarse.u_mm + coarse.u_mm[::-1], pattern.width_mm)
    for fold, _ in pattern.fold_rows_mm:
        for v in (fold, fold - pattern.pleat_depth_mm, fold + pattern.pleat_depth_mm):
            assert coarse.row_of(v) is not None


def test_refining_keeps_known_points_and_is_exact_on_a_plane() -> None:
    coarse, fine = coarse_grid(DEFAULT), fine_grid(DEFAULT)
    plane = np.array([[0.3, -0.1, 0.7], [0.2, 0.9, -0.4]])
    np.testing.assert_allclose(
        refine_positions(coarse, fine, coarse.sheet_mm @ plane), fine.sheet_mm @ plane, atol=1e-12
    )


def test_the_shut_mask_in_its_box_is_in_order_and_unstretched() -> None:
    grid = fine_grid(DEFAULT)
    shut = shut_positions_mm(grid, 0.3)
    pairs = build_constraints(grid).pairs
    assert len(pairs.outer) == 6 * 4 * 71
    gaps = layer_gaps_mm(shut, pairs)
    assert gaps.min() > 0.29
    assert gaps.max() < 0.46
    assert abs(edge_strain(shut, grid.sheet_mm, grid.triangles)).max() < 0.01
    assert abs(area_ratio(shut, grid.sheet_mm, grid.triangles) - 1) < 1e-3
    assert abs(opening_mm(grid, shut) - 95) < 0.3
    assert abs(np.ptp(shut[:, 1]) - 95) < 1e-9


def test_swapped_layers_are_seen() -> None:
    grid = fine_grid(DEFAULT)
    shut = shut_positions_mm(grid, -0.3)
    assert (layer_gaps_mm(shut, build_constraints(grid).pairs) < 0).all()


@given(st.floats(95, 130), st.floats(0.1, 1))
def test_pleat_angles_invert_the_straight_height(opening: float, nose_share: float) -> None:
    angles = pleat_angles_deg(DEFAULT, opening, nose_share)
    assert abs(straight_height_mm(DEFAULT, angles) - opening) < 1e-6
    assert angles[0] <= angles[1] == angles[2]


def test_straight_height_runs_from_shut_to_unfolded() -> None:
    assert abs(straight_height_mm(DEFAULT, np.zeros(3)) - 95) < 1e-9
    assert abs(straight_height_mm(DEFAULT, np.full(3, 180.0)) - 155) < 1e-9
    assert widest_opening_mm(DEFAULT) == 130
