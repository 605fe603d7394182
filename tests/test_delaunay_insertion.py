from __future__ import annotations

from fractions import Fraction

import igl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, Delaunay

from maskdesign.errors import MeshError
from maskdesign.geometry.delaunay import delaunay, insert_point, lawson
from maskdesign.geometry.depth import insert_for_depth
from maskdesign.geometry.flatten import flatten_free, open_disc
from maskdesign.geometry.predicates import in_circle, orient
from tests.flatten_surfaces import bumpy_patch, hemisphere


def unordered(triangles: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, np.sort(triangles, axis=1).tolist()))


def doubled_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


@pytest.mark.parametrize("count", [3, 4, 7, 30, 150, 428])
@pytest.mark.parametrize("seed", range(4))
def test_point_by_point_insertion_finds_scipys_triangles(count, seed):
    points = np.random.default_rng([seed, count]).random((count, 2)) * [175, 155]
    assert unordered(delaunay(points)) == unordered(Delaunay(points).simplices)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=30, unique=True))
def test_crowded_grid_points_on_common_circles_and_lines_are_triangulated_exactly(places):
    points = np.array(places, dtype=np.float64)
    if np.linalg.matrix_rank(points - points[0]) < 2:
        with pytest.raises(MeshError, match="lie on a line"):
            delaunay(points)
        return
    triangles = delaunay(points)
    areas = doubled_areas(points, triangles)
    # The paper's three requirements: corners are the points, no two triangles overlap, together they fill the hull.
    assert set(np.unique(triangles)) == set(range(len(points)))
    assert (areas > 0).all()
    assert areas.sum() / 2 == pytest.approx(ConvexHull(points).volume)
    assert igl.is_delaunay(points, triangles.astype(np.int64)).all()


@pytest.mark.parametrize("height", [1e-3, 1e-9, 1e-13])
def test_points_almost_on_a_line_keep_their_hull(height):
    generator = np.random.default_rng(3)
    points = np.column_stack([np.linspace(0, 100, 40), generator.random(40) * height])
    triangles = delaunay(points)
    assert (doubled_areas(points, triangles) > 0).all()
    exact = [Fraction(0)] + [
        sum(
            (Fraction(points[a, 0]) * Fraction(points[b, 1]) - Fraction(points[b, 0]) * Fraction(points[a, 1]))
            for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))
        )
        for t in triangles.tolist()
    ]
    hull = _hull(points.tolist())
    whole = sum(
        Fraction(p[0]) * Fraction(q[1]) - Fraction(q[0]) * Fraction(p[1])
        for p, q in zip(hull, hull[1:] + hull[:1], strict=True)
    )
    assert sum(exact) == whole


def _hull(points: list[list[float]]) -> list[list[float]]:
    # Andrew's monotone chain with exact turns.
    def chain(run: list[list[float]]) -> list[list[float]]:
        kept: list[list[float]] = []
        for p in run:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], p) <= 0:
                kept.pop()
            kept.append(p)
        return kept[:-1]

    ordered = sorted(points)
    return chain(ordered) + chain(ordered[::-1])


def _turn(a: list[float], b: list[float], c: list[float]) -> Fraction:
    (ax, ay), (bx, by), (cx, cy) = ((Fraction(p[0]), Fraction(p[1])) for p in (a, b, c))
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def test_inserting_a_point_empties_the_circles_that_hold_it_and_nothing_else():
    places = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (1.0, 2.0)]
    apex: dict[tuple[int, int], int] = {}
    for a, b, c in ((0, 1, 2), (0, 2, 3)):
        apex[a, b], apex[b, c], apex[c, a] = c, a, b
    edge = insert_point(places, apex, 4, (0, 1))
    assert apex[edge] == 4
    triangles = {frozenset((a, b, c)) for (a, b), c in apex.items()}
    # Figure 11: the diagonal is gone and the point is joined to all four corners of the cavity.
    assert triangles == {frozenset(t) for t in ((0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4))}


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.zeros((2, 2)), "3 to 20000 points"),
        (np.zeros((3, 3)), "3 to 20000 points"),
        (np.array([[0, 0], [1, 0], [0, np.nan]]), "not finite"),
        (np.array([[0, 0], [1, 0], [0, 1], [1, 0]], float), "1 points lie on others"),
        (np.array([[0, 0], [1, 1], [2, 2], [5, 5]], float), "4 points lie on a line"),
    ],
)
def test_points_that_cannot_be_triangulated_are_refused(points, words):
    with pytest.raises(MeshError, match=words):
        delaunay(points)


def fan(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on a bumpy convex curve, triangulated as a fan: as far from Delaunay as can be."""
    angle = np.sort(np.random.default_rng(count).random(count)) * 2 * np.pi
    points = np.stack([3 * np.cos(angle), np.sin(angle)], 1)
    k = np.arange(1, count - 1)
    return points, np.stack([0 * k, k, k + 1], 1).astype(np.int32)


@pytest.mark.parametrize("count", [4, 10, 60, 200])
def test_exchanging_diagonals_ends_in_scipys_triangulation(count):
    points, triangles = fan(count)
    assert count == 4 or not igl.is_delaunay(points, triangles.astype(np.int64)).all()
    better, exchanges = lawson(points, triangles)
    assert unordered(better) == unordered(Delaunay(points).simplices)
    assert igl.is_delaunay(points, better.astype(np.int64)).all()
    assert exchanges >= len(unordered(triangles) - unordered(better)) / 2
    assert lawson(points, better)[1] == 0


def test_exchanging_raises_the_least_angle():
    points = np.array([[0, 0], [4, -1], [8, 0], [4, 1]], float)
    better, exchanges = lawson(points, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    assert exchanges == 1
    assert unordered(better) == {(0, 1, 3), (1, 2, 3)}


def test_held_edges_stay():
    points, triangles = fan(30)
    held = [(0, 15), (0, 7)]
    better, _ = lawson(points, triangles, held)
    edges = {frozenset(edge) for t in better.tolist() for edge in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}
    assert {frozenset(edge) for edge in held} <= edges
    flat = igl.is_delaunay(points, better.astype(np.int64))
    # Column k is the edge from corner k+1 to corner k+2 in one order or another: only held ones may fail.
    for row in np.flatnonzero(~flat.all(axis=1)):
        corners = better[row].tolist()
        assert any({a, b} in ({0, 15}, {0, 7}) for a, b in zip(corners, corners[1:] + corners[:1], strict=True))


@pytest.mark.parametrize("triangles", [[[0, 2, 1]], [[0, 1, 2], [0, 1, 3]], [[0, 1, 1]]])
def test_exchanging_refuses_what_is_turned_over_or_overlaps(triangles):
    points = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float)
    with pytest.raises(MeshError, match="not counterclockwise or lies on another"):
        lawson(points, np.array(triangles, np.int32))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 1e-8, 1e-15, 0.0]))
def test_predicates_have_the_sign_of_exact_arithmetic(seed, spread):
    generator = np.random.default_rng(seed)
    a, b, c = generator.random((3, 2))
    p = a + (b - a) * generator.random() + spread * generator.normal(size=2)
    corners = [tuple(map(float, q)) for q in (a, b, c, p)]
    exact = [(Fraction(x), Fraction(y)) for x, y in corners]
    ax, bx, px = exact[0], exact[1], exact[3]
    turn = (bx[0] - ax[0]) * (px[1] - ax[1]) - (bx[1] - ax[1]) * (px[0] - ax[0])
    assert orient(corners[0], corners[1], corners[3]) == (turn > 0) - (turn < 0)
    rows = [[q[0], q[1], q[0] ** 2 + q[1] ** 2, Fraction(1)] for q in exact]
    orientation = orient(*corners[:3])
    determinant = _determinant(rows)
    # The lifted determinant is positive inside for a counterclockwise circle.
    if orientation > 0:
        assert in_circle(*corners) == (determinant > 0) - (determinant < 0)


def _determinant(rows: list[list[Fraction]]) -> Fraction:
    if len(rows) == 1:
        return rows[0][0]
    minors = ([row[:k] + row[k + 1 :] for row in rows[1:]] for k in range(len(rows)))
    return sum(((-1) ** k * rows[0][k] * _determinant(minor) for k, minor in enumerate(minors)), Fraction(0))


def test_a_point_on_the_circle_or_the_line_counts_as_neither_side():
    assert in_circle((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)) == 0
    turn = _turn([0.1, 0.3], [0.2, 0.6], [0.3, 0.9])
    assert orient((0.1, 0.3), (0.2, 0.6), (0.3, 0.9)) == (turn > 0) - (turn < 0)
    assert orient((0.0, 0.0), (1.0, 1.0), (2.0, 2.0)) == 0


def test_more_points_show_more_depth():
    mesh, _ = hemisphere(16)
    flat = flatten_free(open_disc(mesh))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 1.2 * abs(flat - flat.mean(0)).max() + flat.mean(0)
    coarse, fine = (insert_for_depth(mesh, flat, corners, tolerance) for tolerance in (4.0, 1.0))
    assert coarse.errors[-1] <= 4
    assert fine.errors[-1] <= 1
    assert len(fine.points) > len(coarse.points)
    assert (np.diff(fine.counts) > 0).all()
    assert igl.is_delaunay(fine.points, fine.triangles.astype(np.int64)).all()
    np.testing.assert_array_equal(fine.points[:4], corners)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_depth_needs_a_positive_tolerance(tolerance):
    mesh = bumpy_patch()
    with pytest.raises(MeshError, match="must be positive"):
        insert_for_depth(mesh, mesh.vertices[:, :2], np.array([[-60, -60], [60, -60], [0, 80.0]]), tolerance)
