"""Similarity alignment against scikit-image's, and what must hold for any points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from skimage.transform import SimilarityTransform

from maskdesign.geometry.align import Similarity, apply_similarity, fit_similarity


def random_case(seed: int) -> tuple[np.ndarray, Similarity]:
    generator = np.random.default_rng(seed)
    R = Rotation.random(random_state=seed).as_matrix()
    return generator.normal(size=(9, 3)) * 30, Similarity(generator.uniform(0.1, 10), R, generator.normal(size=3) * 50)


@given(st.integers(0, 10_000))
def test_recovers_the_similarity_that_made_the_points(seed):
    points, true = random_case(seed)
    found = fit_similarity(points, apply_similarity(true, points))
    np.testing.assert_allclose(found.scale, true.scale, rtol=1e-9)
    np.testing.assert_allclose(found.R, true.R, atol=1e-9)
    np.testing.assert_allclose(found.t, true.t, atol=1e-7)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_agrees_with_scikit_image_on_noisy_points(dimensions):
    generator = np.random.default_rng(1)
    source, target = generator.normal(size=(2, 12, dimensions))
    oracle = SimilarityTransform.from_estimate(source, target)
    found = fit_similarity(source, target)
    np.testing.assert_allclose(found.scale * found.R, oracle.params[:-1, :-1], atol=1e-12)
    np.testing.assert_allclose(found.t, oracle.params[:-1, -1], atol=1e-12)


@given(st.integers(0, 10_000))
def test_never_reflects(seed):
    points, _ = random_case(seed)
    found = fit_similarity(points, points * [-1, 1, 1])
    assert np.linalg.det(found.R) == pytest.approx(1)


def test_no_nearby_similarity_is_better():
    source, target = np.random.default_rng(2).normal(size=(2, 10, 3))
    weights = np.random.default_rng(3).uniform(0, 1, 10)

    def loss(similarity: Similarity) -> float:
        return float(weights @ np.square(apply_similarity(similarity, source) - target).sum(1))

    best = fit_similarity(source, target, weights)
    for seed in range(200):
        generator = np.random.default_rng(seed)
        turn = Rotation.from_rotvec(generator.normal(size=3) * 1e-3).as_matrix()
        other = Similarity(
            best.scale * (1 + generator.normal() * 1e-3), turn @ best.R, best.t + generator.normal(size=3) * 1e-3
        )
        assert loss(other) > loss(best)


def test_a_point_of_weight_zero_has_no_say():
    points, true = random_case(5)
    target = apply_similarity(true, points)
    target[0] += 1000
    found = fit_similarity(points, target, np.r_[0.0, np.ones(8)])
    np.testing.assert_allclose(found.t, true.t, atol=1e-7)
