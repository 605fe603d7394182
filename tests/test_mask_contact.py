"""Nearest points and signed distance against libigl, on the head that the project ships."""

from __future__ import annotations

import igl
import numpy as np
import pytest
from mask_heads import analytic_face

from maskdesign.geometry.mesh import TriangleMesh
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
