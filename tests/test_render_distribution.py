from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from maskdesign.errors import ConfigError
from maskdesign.render.distribution import ViewRanges, sample_views


def numbers(view) -> str:
    return repr(asdict(view))


def test_a_view_depends_on_seed_step_and_index_alone():
    many, few = sample_views(ViewRanges(), 4, 7, 12, 3), sample_views(ViewRanges(), 4, 7, 5, 3)
    assert [numbers(v) for v in few] == [numbers(v) for v in many[:5]]
    assert [numbers(v) for v in many] == [numbers(v) for v in sample_views(ViewRanges(), 4, 7, 12, 3)]


def test_other_seeds_steps_and_indices_give_other_views():
    pool = [numbers(v) for seed in (0, 1) for step in (0, 1) for v in sample_views(ViewRanges(), seed, step, 4, 3)]
    assert len(set(pool)) == len(pool)


def test_every_quantity_stays_in_its_range_and_fills_it():
    ranges = ViewRanges()
    views = [v for step in range(30) for v in sample_views(ranges, 1, step, 32, 1)]
    distance = np.array([np.linalg.norm(v.camera.R.T @ v.camera.T + [0, 0, -40]) for v in views])
    resolution = np.array([v.camera.K[0, 0] for v in views]) / distance
    for values, (low, high) in (
        (distance, ranges.distance_mm),
        (resolution, ranges.px_per_mm),
        (np.array([v.response.blur_sigma_px for v in views]), ranges.blur_px),
        (np.array([v.response.noise_std for v in views]), ranges.noise_std),
        (np.array([v.response.gain for v in views]), ranges.gain),
        (np.array([v.response.gamma for v in views]), ranges.gamma),
        (np.array([np.mean(v.light.ambient_rgb) for v in views]), ranges.ambient),
        (np.array([np.mean(v.light.directional_rgb) for v in views]), ranges.directional),
    ):
        span = high - low
        assert low - 1e-6 * span <= values.min() <= low + 0.02 * span
        assert high - 0.02 * span <= values.max() <= high + 1e-6 * span


def test_the_head_turns_as_far_as_the_ranges_say_and_both_ways():
    still = ViewRanges(pitch_deg=0, roll_deg=0)
    sines = np.array([v.camera.R[0, 2] for step in range(20) for v in sample_views(still, 2, step, 32, 1)])
    yaw = np.degrees(np.arcsin(sines))
    assert 44 < yaw.max() <= 45 + 1e-9 and -45 - 1e-9 <= yaw.min() < -44


def test_scenes_are_equally_likely():
    indices = [v.scene_index for step in range(40) for v in sample_views(ViewRanges(), 3, step, 30, 3)]
    counts = np.bincount(indices, minlength=3)
    # Chi-squared with two degrees of freedom: 13.8 is its 99.9th percentile.
    assert ((counts - 400) ** 2 / 400).sum() < 13.8


def test_the_camera_balances_the_cast_of_the_light():
    full = replace(ViewRanges(), cast_left=(0.0, 0.0), kelvin=(2700, 2700))
    for v in sample_views(full, 5, 0, 8, 1):
        seen = np.array(v.light.ambient_rgb) * v.response.white_balance
        np.testing.assert_allclose(seen, seen[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"yaw_deg": 120.0}, "views.yaw_deg = 120.0 must rise and lie between 0 and 90"),
        ({"distance_mm": (900.0, 500.0)}, r"views.distance_mm = \(900.0, 500.0\) must rise and lie between 150"),
        ({"kelvin": (1000.0, 5000.0)}, "views.kelvin"),
        ({"gain": (0.0, 1.0)}, "views.gain"),
        ({"image_px": 0}, "views.image_px = 0 must lie between 1 and 4096"),
    ],
)
def test_ranges_outside_their_limits_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ViewRanges(**change)
