"""The numerics that scans stand on, each against a closed form, a library, or the thing it must undo."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from maskdesign.geometry.align import Similarity, apply_similarity, fit_similarity
from maskdesign.geometry.curvature import principal_curvatures, shape_index
from maskdesign.geometry.grid import enclosed_holes, fill_hole, grid_triangles, local_quadratics
from maskdesign.geometry.icp import IcpSettings, make_target, move_onto
from maskdesign.geometry.mesh import triangle_normals, vertex_normals
from maskdesign.geometry.neighborhood import neighborhood_distance, neighborhood_stretch
from maskdesign.geometry.orthographic import view_from_front
from maskdesign.geometry.seams import fan_triangles, split_at_seams


def test_curvature_of_a_sphere_and_a_cylinder():
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=20.0)
    k1, k2 = principal_curvatures(sphere.vertices, sphere.faces.astype(np.int32))
    np.testing.assert_allclose(np.median([k1, k2], axis=1), 1 / 20, rtol=0.03)
    assert np.median(shape_index(k1, k2)) > 0.95
    inside_out = principal_curvatures(sphere.vertices, sphere.faces[:, ::-1].astype(np.int32))
    assert np.median(shape_index(*inside_out)) < -0.95
    angle, height = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-20, 20, 50))
    tube = np.stack([20 * np.sin(angle), -height, 20 * np.cos(angle)], axis=-1)
    places, triangles = grid_triangles(tube, np.ones(tube.shape[:2], bool), 10.0)
    k1, k2 = principal_curvatures(tube[places[:, 0], places[:, 1]], triangles)
    middle = (np.abs(places - [25, 30]) < 15).all(axis=1)
    np.testing.assert_allclose(np.median(k1[middle]), 1 / 20, rtol=0.05)
    np.testing.assert_allclose(k2[middle], 0, atol=2e-3)
    np.testing.assert_allclose(shape_index(k1, k2)[middle], 0.5, atol=0.05)


def test_shape_index_at_its_landmarks():
    k1, k2 = np.array([1.0, 1, 1, 0, -1, 0]), np.array([1.0, 0, -1, -1, -1, 0])
    np.testing.assert_allclose(shape_index(k1, k2), [1, 0.5, 0, -0.5, -1, 0], atol=1e-12)


def test_a_local_quadratic_is_exact_on_quadratics_whatever_is_missing():
    rows, columns = np.indices((30, 40)).astype(float)
    values = 2 + 0.3 * columns - 0.1 * rows + 0.02 * columns**2 - 0.01 * columns * rows + 0.03 * rows**2
    weights = (np.random.default_rng(0).random(values.shape) > 0.3) * np.random.default_rng(1).random(values.shape)
    spoiled = np.where(weights > 0, values, 1e6)
    fitted = local_quadratics(spoiled, weights, 2.0)
    np.testing.assert_allclose(fitted[..., 0], values, atol=1e-3)
    np.testing.assert_allclose(fitted[..., 1] / 2, 0.3 + 0.04 * columns - 0.01 * rows, atol=1e-2)
    np.testing.assert_allclose(fitted[5:-5, 5:-5, 5] / 4, 0.03, atol=1e-3)


def test_a_local_quadratic_is_the_weighted_least_squares_fit():
    random = np.random.default_rng(2)
    values, weights, sigma = random.normal(size=(15, 17)), random.random((15, 17)), 1.7
    row, column = 6, 9
    y, x = (np.indices(values.shape) - np.array([row, column])[:, None, None]) / sigma
    gauss = weights * np.exp(-(x**2 + y**2) / 2) * (np.maximum(abs(x), abs(y)) * sigma <= np.ceil(3 * sigma))
    design = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    root = np.sqrt(gauss.ravel())
    oracle = np.linalg.lstsq(design * root[:, None], values.ravel() * root, rcond=None)[0]
    np.testing.assert_allclose(local_quadratics(values, weights, sigma)[row, column], oracle, atol=1e-6)


def test_holes_are_found_and_filled_from_their_ring():
    rows, columns = np.indices((40, 50)).astype(float)
    points = np.stack([columns, -rows, 0.01 * (columns - 20) ** 2 + 0.3 * rows], axis=-1)
    valid = np.ones((40, 50), bool)
    valid[10:16, 20:27] = False
    valid[30:, :3] = False
    labels, count = enclosed_holes(valid)
    assert count == 1 and (labels > 0).sum() == 42
    filled = fill_hole(points, valid, labels == 1)
    np.testing.assert_allclose(filled, points[labels == 1], atol=0.06)


def test_grid_triangles_face_the_viewer_and_skip_steps():
    rows, columns = np.indices((6, 7)).astype(float)
    points = np.stack([columns, -rows, np.where(columns > 3, 50.0, 0.0)], axis=-1)
    valid = np.ones((6, 7), bool)
    valid[2, 1] = False
    places, triangles = grid_triangles(points, valid, 3.0)
    vertices = points[places[:, 0], places[:, 1]]
    assert (triangle_normals(vertices, triangles)[:, 2] > 0).all()
    assert np.ptp(vertices[triangles][..., 2], axis=1).max() == 0
    # Of 30 cells 5 bridge the step, 4 touch the gap and keep one triangle where the cut lets them.
    assert 2 * 21 <= len(triangles) <= 2 * 21 + 4
    assert not ((places == [2, 1]).all(axis=1)).any()


def test_the_front_view_sees_the_nearest_surface_where_it_is():
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=10.0)
    view = view_from_front(
        sphere.vertices, sphere.faces.astype(np.int32), 0.5, np.array([-12.0, -11]), np.array([12.0, 11])
    )
    assert view.triangle.shape == (44, 48)
    seen = view.triangle >= 0
    x, y = np.meshgrid(-12 + (np.arange(48) + 0.5) * 0.5, 11 - (np.arange(44) + 0.5) * 0.5)
    np.testing.assert_allclose(view.points[seen][:, :2], np.stack([x, y], -1)[seen], atol=1e-9)
    exact = np.sqrt(np.maximum(100 - x**2 - y**2, 0))
    inner = x**2 + y**2 < 81
    assert seen[inner].all() and not seen[x**2 + y**2 > 101].any()
    np.testing.assert_allclose(view.points[..., 2][inner], exact[inner], atol=0.05)
    rays = np.column_stack([x[inner], y[inner], np.full(inner.sum(), 50.0)])
    hit, ray, _ = sphere.ray.intersects_location(rays, np.tile([0.0, 0, -1], (len(rays), 1)), multiple_hits=False)
    np.testing.assert_allclose(view.points[inner][ray], hit, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_icp_undoes_a_motion(seed):
    random = np.random.default_rng(seed)
    body = trimesh.creation.icosphere(subdivisions=3)
    surface = body.vertices * [60.0, 80, 50] + 15 * np.exp(
        -((body.vertices - [0, 0, 1]) ** 2).sum(axis=1, keepdims=True) * 8
    )
    normals = vertex_normals(surface, body.faces.astype(np.int32))
    R = Rotation.from_rotvec(random.normal(size=3) * 0.12).as_matrix()
    truth = Similarity(random.uniform(0.93, 1.07), R, random.normal(size=3) * 6)
    back = fit_similarity(apply_similarity(truth, surface), surface)
    source = apply_similarity(truth, surface[::3])
    found = move_onto(source, make_target(surface, normals), Similarity(1.0, np.eye(3), np.zeros(3)),
                      IcpSettings(rounds=80, trim=1.0, scale_range=(0.8, 1.25)))  # fmt: skip
    off = apply_similarity(found.similarity, source) - surface[::3]
    assert np.linalg.norm(off, axis=1).max() < 1.5
    assert found.similarity.scale == pytest.approx(back.scale, rel=0.01)
    rigid = move_onto(source, make_target(surface, normals), Similarity(1.0, np.eye(3), np.zeros(3)))
    assert rigid.similarity.scale == 1.0


def test_icp_ignores_what_is_not_there():
    body = trimesh.creation.icosphere(subdivisions=4)
    surface = body.vertices * [60.0, 80, 50]
    front = surface[:, 2] > 5
    normals = vertex_normals(surface, body.faces.astype(np.int32))
    turned = Similarity(1.0, Rotation.from_euler("xyz", [4, 5, 3], degrees=True).as_matrix(), np.array([2.0, -1, 1]))
    source = apply_similarity(turned, surface[surface[:, 2] > -5])
    found = move_onto(source, make_target(surface[front], normals[front]), Similarity(1.0, np.eye(3), np.zeros(3)),
                      IcpSettings(rounds=60, trim=0.7))  # fmt: skip
    moved = apply_similarity(found.similarity, source)
    assert np.sqrt(np.mean(np.sum((moved - surface[surface[:, 2] > -5]) ** 2, axis=1))) < 1.5


def slow_equation_4(points: np.ndarray, laid: np.ndarray, valid: np.ndarray) -> np.ndarray:
    result = np.full(valid.shape, np.nan)
    for row, column in np.argwhere(valid):
        distances = []
        for delta in (-1, 0, 1):
            r, c = row + delta, column + delta
            if 0 <= r < valid.shape[0] and 0 <= c < valid.shape[1] and valid[r, c]:
                distances.append(np.linalg.norm(laid[row, column] - points[r, c]))
        result[row, column] = max(distances)
    return result


def test_equation_4_against_its_slow_twin_and_on_a_plane():
    random = np.random.default_rng(0)
    points, valid = random.normal(size=(9, 11, 3)) * 10, random.random((9, 11)) > 0.2
    flat = points[..., :2] + random.normal(size=(9, 11, 2))
    lifted = np.concatenate([flat, np.zeros((9, 11, 1))], axis=2)
    laid = apply_similarity(fit_similarity(lifted[valid], points[valid]), lifted.reshape(-1, 3)).reshape(points.shape)
    np.testing.assert_allclose(neighborhood_distance(points, flat, valid), slow_equation_4(points, laid, valid))
    rows, columns = np.indices((6, 8)).astype(float)
    plane = np.stack([2 * columns, -2 * rows, np.full((6, 8), 7.0)], axis=-1)
    everywhere = np.ones((6, 8), bool)
    turned = plane[..., :2] @ Rotation.from_euler("z", 30, degrees=True).as_matrix()[:2, :2] * 5
    # Laid flat without strain, what is left is the step to the diagonal neighbor.
    distance = neighborhood_distance(plane, turned, everywhere)
    assert distance[0, -1] == pytest.approx(0, abs=1e-9), "two corners have none"
    np.testing.assert_allclose(distance[1:-1, 1:-1], np.sqrt(8), atol=1e-9)
    np.testing.assert_allclose(neighborhood_stretch(plane, plane[..., :2], everywhere)[:-1, :-1], 1, atol=1e-12)


def test_a_cylinder_unrolls_without_stretch_and_a_shadow_of_it_does_not():
    angle, height = np.meshgrid(np.linspace(-1, 1, 41), np.arange(20.0))
    tube = np.stack([30 * np.sin(angle), -height, 30 * np.cos(angle)], axis=-1)
    valid = np.ones(angle.shape, bool)
    unrolled = neighborhood_stretch(tube, np.stack([30 * angle, -height], axis=-1), valid)
    shadow = neighborhood_stretch(tube, tube[..., :2], valid)
    assert np.nanmax(unrolled) < 1.001
    assert np.nanmax(shadow) == pytest.approx(1 / np.cos(1), rel=0.05)
    assert np.isnan(unrolled[-1, -1])


def test_fans_and_seams():
    assert fan_triangles(np.array([3, 2, 5])).tolist() == [[0, 1, 2], [5, 6, 7], [5, 7, 8], [5, 8, 9]]
    vertices = np.eye(3)
    mesh, origin = split_at_seams(
        vertices,
        np.array([[0, 1, 2], [0, 2, 1]]),
        np.random.default_rng(0).random((4, 2)),
        np.array([[0, 1, 2], [3, 2, 1]]),
    )
    assert origin.tolist() == [0, 0, 1, 2]
    np.testing.assert_array_equal(mesh.vertices, vertices[origin])
