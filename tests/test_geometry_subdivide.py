"""Loop subdivision against trimesh's, and the properties that make it a surface."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from maskdesign.errors import MeshError
from maskdesign.geometry.subdivide import interpolating_controls, loop_operator, midpoint_operator


@pytest.fixture(scope="module")
def lumpy() -> trimesh.Trimesh:
    """A closed mesh with corners of valence 3, 4 and more."""
    return trimesh.util.concatenate([trimesh.creation.capsule(2, 1, count=[6, 7]), trimesh.creation.box((9, 1, 1))])


@pytest.mark.parametrize("levels", [1, 2])
def test_the_surface_is_that_of_trimesh(lumpy, levels):
    S, triangles = loop_operator(lumpy.faces, len(lumpy.vertices), levels)
    vertices, faces = trimesh.remesh.subdivide_loop(lumpy.vertices, lumpy.faces, iterations=levels)
    distance, partner = cKDTree(vertices).query(S @ lumpy.vertices)
    assert distance.max() < 1e-12
    ours, theirs = (np.sort(corners, axis=1) for corners in (partner[triangles], faces))
    assert set(map(tuple, ours)) == set(map(tuple, theirs))


def test_weights_are_shares_and_orientation_stays(lumpy):
    S, triangles = loop_operator(lumpy.faces, len(lumpy.vertices), 2)
    np.testing.assert_allclose(S.sum(axis=1), 1)
    assert S.min() >= 0
    refined = trimesh.Trimesh(S @ lumpy.vertices, triangles, process=False)
    assert refined.is_watertight and refined.is_winding_consistent
    assert 0 < refined.volume < lumpy.volume


def test_a_piece_of_triangle_i_has_a_number_congruent_to_i(lumpy):
    S = midpoint_operator(lumpy.faces, len(lumpy.vertices), 2)
    _, triangles = loop_operator(lumpy.faces, len(lumpy.vertices), 2)
    centers = (S @ lumpy.vertices)[triangles].mean(axis=1)
    parents = np.arange(len(triangles)) % len(lumpy.faces)
    weights = trimesh.triangles.points_to_barycentric(lumpy.triangles[parents], centers)
    assert (weights > 0).all()
    back = trimesh.triangles.barycentric_to_points(lumpy.triangles[parents], weights)
    np.testing.assert_allclose(back, centers, atol=1e-12)


def test_controls_make_the_surface_reach_given_points(lumpy):
    S, _ = loop_operator(lumpy.faces, len(lumpy.vertices), 2)
    points, count = np.asarray(lumpy.vertices), len(lumpy.vertices)
    shrunk = np.linalg.norm((S @ points)[:count] - points, axis=1).max()
    left = [
        np.linalg.norm((S @ interpolating_controls(S, points, rounds=n))[:count] - points, axis=1).max()
        for n in (4, 40)
    ]
    assert left[0] < 0.25 * shrunk and left[1] < 1e-3 * shrunk


def test_controls_without_share_stay_where_they_are(lumpy):
    S, _ = loop_operator(lumpy.faces, len(lumpy.vertices), 1)
    share = np.zeros(len(lumpy.vertices))
    share[0] = 1
    controls = interpolating_controls(S, np.asarray(lumpy.vertices), share)
    np.testing.assert_array_equal(controls[1:], lumpy.vertices[1:])
    assert np.linalg.norm(controls[0] - lumpy.vertices[0]) > 0.05


@pytest.mark.parametrize("refine", [loop_operator, midpoint_operator])
def test_an_open_mesh_is_refused(refine):
    with pytest.raises(MeshError, match=r"^3 edges lack two triangles; only closed meshes can be subdivided$"):
        refine(np.array([[0, 1, 2]], np.int32), 3, 1)
