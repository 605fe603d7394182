"""The robustness grid: balanced conditions, views as asked, tables that are means of rows, pictures."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from maskdesign.errors import ConfigError
from maskdesign.evaluation.grid import EvaluationSettings, evaluation_lights
from maskdesign.evaluation.robustness import (
    FACTORS,
    RobustnessSettings,
    conditions,
    level_means,
    level_names,
    pair_table,
    placement_shift_mm,
    pose_views,
    robustness_views,
)
from maskdesign.evaluation.robustness_plots import robustness_svg

SETTINGS = RobustnessSettings()
ROWS = conditions(SETTINGS)


def test_every_pair_of_levels_of_any_two_factors_comes_equally_often():
    assert len(ROWS) == len(np.unique(ROWS, axis=0)) == 7 * 4 * 9
    for first, second in itertools.combinations(range(len(FACTORS)), 2):
        counts = np.unique(ROWS[:, [first, second]], axis=0, return_counts=True)[1]
        levels = [len(names) for names in level_names(SETTINGS).values()]
        assert len(counts) == levels[first] * levels[second]
        assert len(set(counts)) == 1


def test_views_are_what_their_conditions_say():
    grid = EvaluationSettings()
    views = robustness_views(SETTINGS, grid, ROWS)
    lights = list(evaluation_lights().values())
    nearest = {tuple(row[:2]): view.camera.T for view, row in zip(views, ROWS.tolist(), strict=True) if row[3] == 0}
    for view, (yaw, pitch, light, distance, opening, placement) in zip(views, ROWS.tolist(), strict=True):
        farther_mm = SETTINGS.distance_mm[distance] - SETTINGS.distance_mm[0]
        np.testing.assert_allclose(view.camera.T - nearest[yaw, pitch], [0, 0, farther_mm], atol=1e-9)
        assert view.light == lights[light]
        assert view.scene_index == 3 * opening + placement
        # The lens stays; so the same field takes fewer pixels from afar.
        assert view.camera.K[0, 0] == grid.distance_mm * grid.px_per_mm
        assert view.camera.width_px == pytest.approx(
            grid.image_px * grid.distance_mm / SETTINGS.distance_mm[distance], abs=2
        )


def test_placements_slip_by_their_length_in_three_directions():
    shifts = np.array([placement_shift_mm(SETTINGS, opening, 2) for opening in range(3)])
    np.testing.assert_allclose(np.linalg.norm(shifts, axis=1), SETTINGS.placement_mm[2])
    np.testing.assert_allclose(shifts.sum(axis=0), 0, atol=1e-9)
    assert placement_shift_mm(SETTINGS, 1, 0) == (0, 0)


def test_tables_are_means_of_rows():
    values = np.random.default_rng(0).random(len(ROWS))
    table = pair_table(ROWS, values, 1, 3)
    assert table[2, 0] == pytest.approx(values[(ROWS[:, 1] == 2) & (ROWS[:, 3] == 0)].mean())
    assert level_means(ROWS, values, 4)[1] == pytest.approx(values[ROWS[:, 4] == 1].mean())


def test_a_figure_of_one_factor_shows_at_that_factor_alone():
    values = ROWS[:, 3].astype(float)
    assert level_means(ROWS, values, 3) == [0, 1, 2]
    for other in set(range(len(FACTORS))) - {3}:
        assert level_means(ROWS, values, other) == pytest.approx([1] * len(level_means(ROWS, values, other)))


def test_poses_are_those_of_the_paper_where_the_grid_has_them():
    assert {name: int(chosen.sum()) for name, chosen in pose_views(SETTINGS, ROWS).items()} == {
        "front": 9, "45 degrees up": 9, "45 degrees lateral": 18,
    }  # fmt: skip
    small = RobustnessSettings(yaw_deg=(0.0, 20.0), pitch_deg=(0.0,))
    assert list(pose_views(small, conditions(small))) == ["front"]


def test_maps_are_the_same_every_time_and_name_every_factor():
    margins = {"plain blue": np.sin(ROWS @ np.arange(6.0)), "designed": -np.cos(ROWS @ np.arange(6.0))}
    picture = robustness_svg(level_names(SETTINGS), ROWS, margins)
    assert picture == robustness_svg(level_names(SETTINGS), ROWS, margins)
    assert picture.startswith("<svg")
    assert all(factor in picture for factor in FACTORS)


@pytest.mark.parametrize(
    "wrong", [{"yaw_deg": ()}, {"distance_mm": (10.0, 800.0, 900.0)}, {"placement_mm": (0.0, 3.0, math.inf)}]
)
def test_levels_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match="robustness"):
        RobustnessSettings(**wrong)
