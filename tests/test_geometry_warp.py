"""Smooth warps against closed forms on a plane and a sphere."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from maskdesign.geometry.warp import fair, spread_smoothly


@pytest.fixture(scope="module")
def strip() -> tuple[np.ndarray, np.ndarray]:
    """A regular grid of the unit square, 21 x 21."""
    steps = np.linspace(0, 1, 21)
    x, y = np.meshgrid(steps, steps)
    corner = np.arange(441).reshape(21, 21)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    triangles = np.vstack([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    return np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()]), triangles.astype(np.int32)


def test_known_values_are_kept_and_a_plane_goes_on_as_a_plane(strip):
    vertices, triangles = strip
    border = np.flatnonzero((np.abs(vertices[:, :2] - 0.5) > 0.39).any(axis=1))
    plane = vertices @ [[2.0, 1], [-3, 0], [0, 0]] + [1, 5]
    spread = spread_smoothly(vertices, triangles, border, plane[border])
    np.testing.assert_array_equal(spread[border], plane[border])
    np.testing.assert_allclose(spread, plane, atol=1e-9)


def test_between_two_clamped_bands_the_values_follow_the_beam(strip):
    # A clamped beam without load is the cubic 3 t^2 - 2 t^3. Both natural edges are held to it as well.
    vertices, triangles = strip
    t = np.clip((vertices[:, 0] - 0.2) / 0.6, 0, 1)
    beam = (3 * t**2 - 2 * t**3)[:, None]
    sides = np.abs(vertices[:, 1] - 0.5) > 0.39
    known = np.flatnonzero((vertices[:, 0] < 0.21) | (vertices[:, 0] > 0.79) | sides)
    spread = spread_smoothly(vertices, triangles, known, beam[known])
    # The straight line, which a harmonic surface would be, is 0.096 off.
    np.testing.assert_allclose(spread, beam, atol=0.03)


def test_fairing_takes_ripples_and_leaves_the_shape():
    ball = trimesh.creation.icosphere(4, 100.0)
    generator = np.random.default_rng(0)
    rough = ball.vertices * (1 + 0.01 * generator.normal(size=(len(ball.vertices), 1)))
    held = np.flatnonzero(ball.vertices[:, 2] > 60)
    smooth = fair(rough, ball.faces, held, length_mm=10)
    np.testing.assert_array_equal(smooth[held], rough[held])
    free = ball.vertices[:, 2] < 40
    before, after = (np.linalg.norm(points[free], axis=1) for points in (rough, smooth))
    assert after.std() < 0.35 * before.std()
    assert abs(after.mean() - 100) < 0.5


def test_a_shorter_length_moves_less():
    ball = trimesh.creation.icosphere(3, 100.0)
    rough = ball.vertices * (1 + 0.01 * np.random.default_rng(0).normal(size=(len(ball.vertices), 1)))
    moved = [np.linalg.norm(fair(rough, ball.faces, np.array([0]), mm) - rough) for mm in (5, 15, 45)]
    assert moved[0] < moved[1] < moved[2]
