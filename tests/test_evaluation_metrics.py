"""Error rates and intervals against scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from maskdesign.errors import ConfigError
from maskdesign.evaluation.grid import EvaluationSettings, evaluation_views
from maskdesign.evaluation.metrics import bootstrap_mean_interval, fnmr
from maskdesign.render.camera import project_points


def test_fnmr_counts_what_lies_below_the_threshold():
    assert fnmr(np.array([0.1, 0.3, 0.3, 0.9]), 0.3) == 0.25


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.floats(-1, 1), st.floats(0, 1))
def test_fnmr_rises_with_the_threshold(scores, threshold, rise):
    assert fnmr(np.array(scores), threshold) <= fnmr(np.array(scores), threshold + rise)


def test_interval_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2, size=60)
    ours = bootstrap_mean_interval(values, rounds=20_000)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        low, high = bootstrap_mean_interval(rng.normal(2, 1, 60), rounds=300)
        inside += low <= 2 <= high
    assert 0.90 <= inside / 300 <= 0.98


def test_interval_of_agreement_has_no_width():
    assert bootstrap_mean_interval(np.ones(10)) == (1.0, 1.0)


def test_grid_is_every_combination_and_keeps_the_head_in_the_picture():
    settings = EvaluationSettings()
    views = evaluation_views(settings)
    assert len(views) == len(settings.yaw_deg) * len(settings.pitch_deg) * 3
    assert len({view.noise_seed for view in views}) == len(views)
    head = np.array([[x, y, z] for x in (-75.0, 75) for y in (-90.0, 60) for z in (-60.0, 0)])
    for view in views:
        pixels = project_points(view.camera, head)[:, :2]
        assert (pixels > 0).all()
        assert (pixels < settings.image_px).all()


def test_empty_grid_is_refused():
    with pytest.raises(ConfigError, match="at least one angle"):
        EvaluationSettings(yaw_deg=())
