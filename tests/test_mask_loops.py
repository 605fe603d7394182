"""Ear loops: closed tubes from corner to corner, behind the ear, on the skin and not in it."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from maskdesign.faces.head import builtin_face
from maskdesign.mask.contact import build_collider, nearest_points
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.loops import RADIUS_MM, ear_loops, head_with_loops
from maskdesign.mask.pattern import MaskPattern

PATTERN = MaskPattern()


@pytest.fixture(scope="module")
def dressed():
    face = builtin_face()
    return face, drape_mask(face, PATTERN)


def test_loops_are_two_closed_tubes(dressed):
    loops = ear_loops(*dressed, PATTERN)
    parts = trimesh.Trimesh(loops.vertices, loops.triangles, process=False).split(only_watertight=True)
    assert len(parts) == 2
    for part in parts:
        assert part.is_winding_consistent
        # Outward triangles enclose a positive volume: that of a tube between two thirds and all of a round one.
        assert part.volume > 0


def test_loops_begin_and_end_at_the_corners_of_the_mask(dressed):
    face, worn = dressed
    loops = ear_loops(face, worn, PATTERN).vertices
    for u_mm in (0.0, PATTERN.width_mm):
        for v_mm in (0.0, PATTERN.height_mm):
            corner = worn.mesh.vertices[np.argmin(np.abs(worn.sheet_mm - [u_mm, v_mm]).sum(axis=1))]
            assert np.linalg.norm(loops - corner, axis=1).min() < 2 * RADIUS_MM
    for side in ("left", "right"):
        assert np.linalg.norm(loops - face.landmarks[f"ear_{side}"], axis=1).min() < 10


def test_loops_lie_outside_of_the_head(dressed):
    face, worn = dressed
    distance_mm, _, _ = nearest_points(build_collider(face.mesh), ear_loops(face, worn, PATTERN).vertices, 40.0)
    assert np.quantile(distance_mm, 0.05) > -RADIUS_MM
    assert distance_mm.min() > -3


def test_the_head_keeps_its_colors_and_the_loops_are_white(dressed):
    face, worn = dressed
    both = head_with_loops(face, worn, PATTERN)
    count, height = len(face.mesh.vertices), face.texture.shape[0]
    np.testing.assert_array_equal(both.texture[:height], face.texture)
    np.testing.assert_allclose(both.mesh.uv[:count] * [1, (height + 4) / height], face.mesh.uv)
    rows = (both.mesh.uv[count:, 1] * both.texture.shape[0]).astype(int)
    assert (both.texture[rows] == 240).all()
