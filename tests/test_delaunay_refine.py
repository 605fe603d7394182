from __future__ import annotations

import time
import tomllib

import igl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskdesign.config import from_mapping
from maskdesign.errors import MeshError, PatternError
from maskdesign.files import data_path
from maskdesign.geometry.delaunay import lawson
from maskdesign.geometry.distortion import least_angle_deg
from maskdesign.geometry.flatten import flatten_free, open_disc
from maskdesign.geometry.refine import PlanarMesh, lift_points, locate, refine, triangulate
from maskdesign.mask.keypoints import KeyPoints, key_mesh, key_points
from maskdesign.mask.pattern import MaskPattern
from tests.flatten_surfaces import flat_square, hemisphere

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4], [0, 2], [4, 2], [1, 1.0]])
OUTLINE = [[0, 1], [1, 2], [2, 3], [3, 0]]
FOLD = [4, 5]


def assert_constrained_delaunay(mesh: PlanarMesh) -> None:
    """No diagonal but the kept ones may be exchanged, by two judges."""
    assert lawson(mesh.points, mesh.triangles, map(tuple, mesh.kept_edges.tolist()))[1] == 0
    # Delaunay 1934: the two angles opposite to an edge add up to at most 180 degrees. libigl's own judge takes no
    # tolerance, and refinement makes many points on common circles.
    kept = {frozenset(edge) for edge in mesh.kept_edges.tolist()}
    angles = igl.internal_angles(np.column_stack([mesh.points, 0 * mesh.points[:, 0]]), mesh.triangles.astype(np.int64))
    opposite: dict[frozenset[int], float] = {}
    for corners, angle in zip(mesh.triangles.tolist(), angles.tolist(), strict=True):
        for k in range(3):
            edge = frozenset((corners[k - 1], corners[k - 2]))
            opposite[edge] = opposite.get(edge, 0.0) + angle[k]
    assert max(total for edge, total in opposite.items() if edge not in kept) <= np.pi + 1e-9


def assert_constraints_whole(mesh: PlanarMesh, points: np.ndarray, edges: np.ndarray) -> None:
    """The pieces of each constraint lie on it, add up to its length, and are edges of triangles."""
    sides = {frozenset(pair) for t in mesh.triangles.tolist() for pair in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}
    assert {frozenset(edge) for edge in mesh.kept_edges.tolist()} <= sides
    ends = mesh.points[mesh.kept_edges]
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    whole = np.linalg.norm(points[edges[:, 1]] - points[edges[:, 0]], axis=1)
    np.testing.assert_allclose(np.bincount(mesh.constraint, lengths, len(edges)), whole, rtol=1e-12)
    start, along = (
        points[edges[mesh.constraint, 0]],
        points[edges[mesh.constraint, 1]] - points[edges[mesh.constraint, 0]],
    )
    offset = ends - start[:, None]
    across = offset[..., 0] * along[:, None, 1] - offset[..., 1] * along[:, None, 0]
    assert abs(across).max() < 1e-9 * (along**2).sum(1).max()


def test_constraints_are_edges_and_the_rest_is_delaunay():
    edges = np.array([*OUTLINE, FOLD])
    mesh = triangulate(SQUARE, edges)
    assert_constraints_whole(mesh, SQUARE, edges)
    assert_constrained_delaunay(mesh)
    np.testing.assert_array_equal(mesh.points, SQUARE)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 120), st.sampled_from([10.0, 20.0, 27.0]))
def test_refinement_reaches_the_angle_and_keeps_points_and_folds(seed, count, angle):
    random = np.random.default_rng(seed).uniform([1, 1], [174, 154], (count, 2))
    frame = [[0, 0], [175, 0], [175, 155], [0, 155], [0, 35], [175, 35], [0, 45], [175, 45]]
    points = np.concatenate([np.array(frame, float), random])
    edges = np.array([[0, 1], [1, 5], [5, 7], [7, 2], [2, 3], [3, 6], [6, 4], [4, 0], [4, 5], [6, 7]])
    mesh = refine(points, edges, angle)
    assert least_angle_deg(mesh.points, mesh.triangles) >= angle
    np.testing.assert_array_equal(mesh.points[: len(points)], points)
    assert_constraints_whole(mesh, points, edges)
    assert_constrained_delaunay(mesh)
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    areas = np.cross(b - a, c - a) / 2
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(175 * 155)


def test_a_region_may_have_a_hole():
    inner = [[1, 1], [3, 1], [3, 3], [1, 3]]
    points = np.array([[0, 0], [4, 0], [4, 4], [0, 4], *inner], float)
    edges = np.array([*OUTLINE, [4, 5], [5, 6], [6, 7], [7, 4]])
    mesh = triangulate(points, edges)
    middles = mesh.points[mesh.triangles].mean(1)
    # Only what lies outside the outermost chain is removed: a fold may be closed, too.
    assert ((middles > 1) & (middles < 3)).all(1).any()


@pytest.mark.parametrize(
    ("points", "edges", "words"),
    [
        (SQUARE[:4], [*OUTLINE, [0, 2], [1, 3]], "cannot be triangulated: Intersecting"),
        (np.vstack([SQUARE, SQUARE[:1]]), OUTLINE, "cannot be triangulated: Duplicate"),
        (SQUARE, OUTLINE[:3], "enclose nothing; close the outline"),
        (SQUARE, [*OUTLINE, [2, 2]], "1 edges begin and end at the same point"),
        (SQUARE, [*OUTLINE, [0, 7]], "name the points 0 to 7, but there are 7"),
        (SQUARE, [*OUTLINE, [-1, 2]], "name the points -1 to 3"),
        (SQUARE[:2], [[0, 1]], "at least three finite points"),
        (SQUARE * np.nan, OUTLINE, "at least three finite points"),
        (SQUARE, [[0, 1, 2]], r"edges must have shape .m, 2."),
    ],
)
def test_constraints_that_cannot_be_met_are_refused(points, edges, words):
    with pytest.raises(MeshError, match=words):
        triangulate(points, np.array(edges))


def test_an_angle_that_cannot_be_reached_is_refused_with_what_was():
    sliver = np.array([[0, 0], [10, 0], [10, 0.5]])
    with pytest.raises(MeshError, match=r"least angle is 2\.\d\d degrees after .* wanted 20"):
        refine(sliver, np.array([[0, 1], [1, 2], [2, 0]]), 20)
    with pytest.raises(MeshError, match="min_angle_deg = 40 must lie between 0 and 33"):
        refine(SQUARE, np.array(OUTLINE), 40)


def test_located_points_have_their_barycentric_coordinates():
    mesh = flat_square(6)
    points = np.random.default_rng(1).uniform(0, 5, (50, 2))
    where, corners, bary = locate(mesh.vertices[:, :2], mesh.triangles, points)
    assert (bary > -1e-12).all()
    np.testing.assert_allclose(np.einsum("nk,nkd->nd", bary, mesh.vertices[corners][..., :2]), points, atol=1e-12)
    np.testing.assert_array_equal(mesh.triangles[where], corners)


def test_refinement_in_the_flattening_is_lifted_onto_the_surface():
    mesh, _ = hemisphere(24)
    disc = open_disc(mesh)
    flat = flatten_free(disc)
    rim = np.stack([np.arange(len(disc.boundary)), np.roll(np.arange(len(disc.boundary)), -1)], 1)
    planar = refine(flat[disc.boundary], rim, 25)
    lifted = lift_points(mesh, flat, planar.points)
    radius = np.linalg.norm(lifted, axis=1)
    assert radius.max() <= 50 + 1e-9
    assert radius.min() > 49.8
    # The flattening is conformal, so the angles survive the lift as far as the new triangles are small.
    assert least_angle_deg(lifted, planar.triangles) > 20


def template(name: str) -> MaskPattern:
    return from_mapping(MaskPattern, tomllib.loads(data_path(f"print_templates/{name}.toml").read_text())["mask"])


@pytest.mark.parametrize("name", ["three_pleat", "two_pleat", "flat"])
def test_428_key_points_are_spread_evenly_and_triangulated_with_the_folds(name):
    pattern = template(name)
    started = time.process_time()
    keys = key_points(pattern)
    mesh = key_mesh(keys)
    assert time.process_time() - started < 0.5
    assert len(np.unique(keys.sheet_mm, axis=0)) == 428
    assert keys.sheet_mm.min() == 0
    assert keys.sheet_mm.max(axis=0).tolist() == [pattern.width_mm, pattern.height_mm]
    assert least_angle_deg(mesh.points, mesh.triangles) >= 20
    up = PlanarMesh(mesh.points * [1, -1], mesh.triangles, mesh.kept_edges, mesh.constraint)
    assert_constrained_delaunay(up)
    assert_constraints_whole(up, keys.sheet_mm * [1, -1], keys.edges)
    assert_folds_whole(pattern, keys)
    apart = np.linalg.norm(keys.sheet_mm[:, None] - keys.sheet_mm[None], axis=2) + np.eye(428) * 1e9
    spacing = np.sqrt(pattern.width_mm * pattern.height_mm / 428)
    assert apart.min() > 0.4 * spacing
    assert apart.min(axis=1).max() < 1.5 * spacing


def assert_folds_whole(pattern: MaskPattern, keys: KeyPoints) -> None:
    for number, (v, _) in enumerate(pattern.fold_rows_mm, start=1):
        ends = keys.sheet_mm[keys.edges[keys.line == number]]
        assert (ends[..., 1] == v).all()
        assert (ends[:, 1, 0] - ends[:, 0, 0]).sum() == pytest.approx(pattern.width_mm)


@pytest.mark.parametrize("count", [200, 301, 428, 1000])
def test_any_number_of_key_points_is_mirror_symmetric(count):
    pattern = MaskPattern()
    keys = key_points(pattern, count)
    assert len(keys.sheet_mm) == count
    mirrored = keys.sheet_mm * [-1, 1] + [pattern.width_mm, 0]
    assert {tuple(p) for p in mirrored.round(6)} == {tuple(p) for p in keys.sheet_mm.round(6)}


@pytest.mark.parametrize(("count", "words"), [(20, "too few: outline and folds alone take"), (9999, "exceed the 4473")])
def test_numbers_of_key_points_that_do_not_fit_are_refused(count, words):
    with pytest.raises(PatternError, match=words):
        key_points(MaskPattern(), count)
