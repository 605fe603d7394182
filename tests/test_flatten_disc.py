from __future__ import annotations

import igl
import numpy as np
import pytest

from maskdesign.errors import MeshError
from maskdesign.geometry.disc import boundary_loops, check_disc, make_disc
from maskdesign.geometry.height_field import HeightField, height_field_mesh
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.patch import flatten_patch
from tests.flatten_surfaces import bumpy_patch, disk_points, flat_square, hemisphere, square_with_hole, torus_with_hole


def with_triangles(mesh: TriangleMesh, extra: list[list[int]], points: list[list[float]] | None = None) -> TriangleMesh:
    vertices = mesh.vertices if points is None else np.vstack([mesh.vertices, points])
    return TriangleMesh(vertices, np.vstack([mesh.triangles, extra]))


def test_boundary_of_a_disc_runs_around_it_with_the_surface_to_the_left():
    loop = check_disc(flat_square(5))
    points = flat_square(5).vertices[loop]
    following = np.roll(points, -1, axis=0)
    area = (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum() / 2
    assert area == 16.0
    assert len(loop) == 16


@pytest.mark.parametrize("mesh", [square_with_hole(), bumpy_patch(), torus_with_hole()])
def test_loops_are_those_of_libigl(mesh):
    ours = {frozenset(loop.tolist()) for loop in boundary_loops(mesh.triangles)}
    theirs = {frozenset(loop) for loop in igl.boundary_loop_all(mesh.triangles.astype(np.int64))}
    assert ours == theirs


def two_pieces() -> TriangleMesh:
    return with_triangles(flat_square(4), [[16, 17, 18]], [[9, 9, 0], [10, 9, 0], [9, 10, 0]])


def fin() -> TriangleMesh:
    return with_triangles(flat_square(4), [[5, 6, 16]], [[1, 1, 1]])


def bow_tie() -> TriangleMesh:
    return with_triangles(flat_square(4), [[15, 16, 17]], [[4, 3.5, 0], [3.5, 4, 0]])


def needle() -> TriangleMesh:
    return with_triangles(flat_square(4), [[3, 2, 16]], [[2.5, 0, 0]])


def twice() -> TriangleMesh:
    mesh = flat_square(4)
    return with_triangles(mesh, [mesh.triangles[0].tolist()])


def one_turned_over() -> TriangleMesh:
    mesh = flat_square(5)
    triangles = mesh.triangles.copy()
    triangles[5] = triangles[5][::-1]
    return TriangleMesh(mesh.vertices, triangles)


def unused_vertex() -> TriangleMesh:
    mesh = flat_square(4)
    return TriangleMesh(np.vstack([mesh.vertices, [[9, 9, 9]]]), mesh.triangles)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (two_pieces, "2 pieces"),
        (fin, "not manifold"),
        (bow_tie, "not manifold"),
        (needle, "no area"),
        (twice, "not manifold"),
        (one_turned_over, "not manifold"),
        (unused_vertex, "1 vertices of the patch belong to no triangle"),
        (square_with_hole, "2 boundary loops instead of one"),
    ],
)
def test_what_is_no_disc_is_refused_and_repaired_into_one_that_flattens(make, words):
    with pytest.raises(MeshError, match=words):
        check_disc(make())
    patch = flatten_patch(make())
    check_disc(patch.mesh)
    assert patch.report.flipped == 0
    # Everything here lies in a plane, so that the repaired disc is flattened without any error.
    assert patch.report.quasi_conformal_max < 1 + 1e-9
    known = patch.source >= 0
    np.testing.assert_array_equal(patch.mesh.vertices[known], make().vertices[patch.source[known]])


def test_repair_says_what_it_did():
    _, source, report = make_disc(square_with_hole())
    assert (report.dropped_triangles, report.filled_holes) == (0, 1)
    assert report.largest_hole_mm == pytest.approx(8.0)
    assert (source < 0).sum() == 1
    assert make_disc(two_pieces())[2].dropped_triangles == 1
    assert make_disc(flat_square(4))[2].dropped_triangles == 0


def test_a_closed_surface_is_refused():
    tetrahedron = TriangleMesh(np.vstack([np.zeros(3), np.eye(3)]), [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    with pytest.raises(MeshError, match="0 boundary loops"):
        check_disc(tetrahedron)
    with pytest.raises(MeshError, match="closed; cut a patch"):
        make_disc(tetrahedron)


def test_a_handle_is_refused():
    with pytest.raises(MeshError, match=r"handle .Euler characteristic -1"):
        make_disc(torus_with_hole())


def test_a_hole_as_large_as_the_patch_is_refused():
    mesh = hemisphere(12)[0]
    band = TriangleMesh(mesh.vertices, mesh.triangles[mesh.vertices[mesh.triangles, 2].max(1) < 30])
    with pytest.raises(MeshError, match=r"hole of perimeter .* its outer boundary only"):
        make_disc(band)


def test_an_empty_patch_is_refused():
    empty = TriangleMesh(np.zeros((3, 3)), np.zeros((0, 3), np.int32))
    with pytest.raises(MeshError, match="no triangles"):
        check_disc(empty)
    with pytest.raises(MeshError, match="beyond repair"):
        make_disc(empty)


def test_a_map_that_would_flip_is_refused_and_not_returned():
    # A closed tube 70 radii long shrinks by exp(-70) under any conformal map, which no double can hold.
    plane, triangles = disk_points(24)
    radius = np.linalg.norm(plane, axis=1, keepdims=True)
    ring = np.round(radius * 24)
    spot = plane / np.maximum(radius, 1e-9) * np.where(ring == 0, 0, np.maximum(ring - 17, 1))
    tube = TriangleMesh(np.hstack([spot, 4 * np.maximum(18 - ring, 0)]), triangles)
    check_disc(tube)
    with pytest.raises(MeshError, match="triangles flip when the patch is laid flat; remove spikes"):
        flatten_patch(tube)


def test_needles_that_flip_are_cut_out_where_asked():
    heights, random = np.zeros((25, 25)), np.random.default_rng(1)
    for _ in range(6):
        heights[random.integers(3, 22), random.integers(3, 22)] = random.uniform(5, 60)
    spiky = height_field_mesh(HeightField(np.arange(25.0), np.arange(24.0, -1, -1), heights))
    with pytest.raises(MeshError, match="of 1152 triangles flip"):
        flatten_patch(spiky)
    patch = flatten_patch(spiky, cuts=2)
    assert patch.report.flipped == 0 and np.isfinite(patch.report.quasi_conformal_max)
    known = patch.source >= 0
    assert 1 <= len(spiky.vertices) - known.sum() <= 6, "only what is beside the flip goes"
    np.testing.assert_array_equal(patch.mesh.vertices[known], spiky.vertices[patch.source[known]])
