"""Nearest points and signed distance against libigl, on the head that the project ships."""

from __future__ import annotations

import igl
import numpy as np
import pytest
import trimesh
from mask_heads import analytic_face

from maskdesign.faces.topology import outer_skin
from maskdesign.geometry.mesh import TriangleMesh, merge_meshes
from maskdesign.mask.contact import build_collider, nearest_points, no_contacts, refresh_contacts


@pytest.fixture(scope="module")
def mesh() -> TriangleMesh:
    return analytic_face().mesh


def _queries(mesh: TriangleMesh, count: int, spread_mm: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    inner = np.flatnonzero(abs(mesh.vertices[:, 2]) < 100)
    return mesh.vertices[rng.choice(inner, count)] + rng.normal(size=(count, 3)) * spread_mm


def test_signed_distance_is_libigls(mesh: TriangleMesh) -> None:
    points = _queries(mesh, 2000, 5.0)
    distance, nearest, direction = nearest_points(build_collider(mesh), points, 60.0)
    signed = igl.signed_distance(points, mesh.vertices, mesh.triangles, igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL)
    np.testing.assert_allclose(distance, signed[0], atol=1e-9)
    np.testing.assert_allclose(nearest + distance[:, None] * direction, points, atol=1e-6)


def test_box_size_changes_nothing(mesh: TriangleMesh) -> None:
    points = _queries(mesh, 300, 8.0)
    one, two = (nearest_points(build_collider(mesh, box), points, 60.0)[0] for box in (3.0, 17.0))
    np.testing.assert_allclose(one, two, atol=1e-12)


def test_nothing_within_reach(mesh: TriangleMesh) -> None:
    distance, _, direction = nearest_points(build_collider(mesh), np.array([[0.0, 0.0, 50.0]]), 20.0)
    assert distance[0] == 20.0
    assert (direction == 0).all()


def test_kept_contacts_are_wrong_by_less_than_the_slack(mesh: TriangleMesh) -> None:
    collider, rng = build_collider(mesh), np.random.default_rng(4)
    points = _queries(mesh, 500, 2.0)
    contacts = no_contacts(points)
    for _ in range(6):
        refresh_contacts(collider, contacts, points, 40.0, slack_mm=0.1)
        fresh = nearest_points(collider, points, 40.0)[0]
        moved = np.linalg.norm(points - contacts.queried_mm, axis=1)
        assert (abs(contacts.distance_mm - fresh) <= moved + 1e-9).all()
        assert (moved <= np.maximum(0.1, 0.5 * abs(fresh) + moved * 0.5) + 1e-9).all()
        points = points + rng.normal(size=points.shape) * 0.05


def test_the_skin_has_no_lashes_and_no_doubled_vertices(mesh: TriangleMesh) -> None:
    """A sheet welded along an edge of the head ends there; it is left out. A closed ball beside the head stays."""
    ball = trimesh.creation.icosphere(subdivisions=1, radius=5.0)
    a, b = mesh.vertices[mesh.triangles[10_001, :2]]
    lash = TriangleMesh(np.array([a, b, (a + b) / 2 + [0, 0, 9.0]]), np.array([[0, 1, 2]]))
    apart = TriangleMesh(mesh.vertices[mesh.triangles].reshape(-1, 3), np.arange(mesh.triangles.size).reshape(-1, 3))
    eye = TriangleMesh(np.asarray(ball.vertices) + np.array([30.0, 30.0, -40.0]), np.asarray(ball.faces))
    skin = outer_skin(merge_meshes(merge_meshes(apart, lash), eye))
    assert len(skin.triangles) == len(mesh.triangles) + len(ball.faces)
    assert len(skin.vertices) <= len(mesh.vertices) + len(ball.vertices) + 1
