"""Delaunay triangulation in the plane, point by point and by exchanging diagonals: small, exact, meant to be read.

The PrivacyMask paper, section 3.2: the point-by-point insertion of Fig 11 (Bowyer 1981, Watson 1981) and the local
optimization of Fig 10 (Lawson 1977). Large or constrained triangulations: `maskdesign.geometry.refine`.

A triangulation is kept as a dictionary from directed edges to the third corner of the triangle on their left.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.predicates import Point, in_circle, orient

Edge = tuple[int, int]
MAX_POINTS = 20_000
WINDOW = 1e20
"""Half side of the auxiliary window over that of the points. The predicates are exact, so it may stand far enough off
never to lie in the circle of three points of the hull."""


def delaunay(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Delaunay triangulation of the convex hull by point-by-point insertion (Fig 11 of the PrivacyMask paper).

    Args:
        points: (n, 2), n >= 3, all different, not all on a line.

    Returns:
        (T, 3) counterclockwise (x right, y up). Where four points lie on one circle, either diagonal is possible.

    Raises:
        MeshError: too few points, two at the same place, all on a line, or more than `MAX_POINTS`.
    """
    _check_points(points)
    places = [(float(x), float(y)) for x, y in points]
    apex = _open_window(places)
    last = (len(points), len(points) + 1)
    for number in range(len(points)):
        last = insert_point(places, apex, number, last)
    _close_window(places, apex, len(points))
    return _triangles(apex)


def _check_points(points: NDArray[np.float64]) -> None:
    if points.ndim != 2 or points.shape[1] != 2 or not 3 <= len(points) <= MAX_POINTS:
        raise MeshError(f"a triangulation needs 3 to {MAX_POINTS} points (n, 2), not an array {points.shape}")
    if not np.isfinite(points).all():
        raise MeshError("the points hold values that are not finite")
    if len(np.unique(points, axis=0)) < len(points):
        raise MeshError(f"{len(points) - len(np.unique(points, axis=0))} points lie on others; remove the doubles")


def _open_window(places: list[Point]) -> dict[Edge, int]:
    """Step (a): a rectangle around the points, cut by its diagonal. Its corners are appended to `places`."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    half = WINDOW * (max(max(xs) - min(xs), max(ys) - min(ys)) / 2 or 1.0)
    n = len(places)
    places += [(middle_x + sx * half, middle_y + sy * half) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    apex: dict[Edge, int] = {}
    _add(apex, n, n + 1, n + 2)
    _add(apex, n, n + 2, n + 3)
    return apex


def insert_point(places: list[Point], apex: dict[Edge, int], number: int, start: Edge) -> Edge:
    """Steps (b) and (c): find the triangle of a point, empty the circles that hold it, join it to the cavity's rim.

    Args:
        places: coordinates of every vertex.
        apex: directed edge -> third corner on its left; changed in place.
        number: of the new point, inside the triangulated area and on no other vertex.
        start: an edge of a triangle where the search begins.

    Returns:
        an edge of a triangle at the new point.
    """
    p = places[number]
    pending, rim = [_locate(places, apex, p, start)], []
    cavity = {_name(apex, pending[0])}
    while pending:
        a, b = pending.pop()
        for edge in ((a, b), (b, apex[a, b]), (apex[a, b], a)):
            beyond = (edge[1], edge[0])
            if beyond in apex and _name(apex, beyond) in cavity:
                continue
            if beyond in apex and in_circle(*_corners(places, apex, beyond), p) > 0:
                cavity.add(_name(apex, beyond))
                pending.append(beyond)
            else:
                rim.append(edge)
    # An edge met before the triangle behind it was found to be in the cavity is no rim after all.
    rim = [edge for edge in rim if edge[::-1] not in apex or _name(apex, edge[::-1]) not in cavity]
    for a, b, c in cavity:
        _remove(apex, a, b, c)
    for a, b in rim:
        # A point on the boundary of the triangulated area makes no triangle with the edge that it lies on.
        if orient(places[a], places[b], p) > 0:
            _add(apex, a, b, number)
    return rim[0] if rim[0] in apex else rim[1]


def _locate(places: list[Point], apex: dict[Edge, int], p: Point, edge: Edge) -> Edge:
    """Walk towards p, always across an edge that has it on its right; ends in the triangle that holds it."""
    while True:
        a, b = edge
        for out in ((a, b), (b, apex[a, b]), (apex[a, b], a)):
            if orient(places[out[0]], places[out[1]], p) < 0:
                edge = (out[1], out[0])
                break
        else:
            return edge


def _close_window(places: list[Point], apex: dict[Edge, int], count: int) -> None:
    for a, b, c in {_name(apex, edge) for edge in apex}:
        if max(a, b, c) >= count:
            _remove(apex, a, b, c)
    following = {a: b for a, b in apex if (b, a) not in apex}
    dented = any(orient(places[a], places[b], places[following[b]]) < 0 for a, b in following.items())
    if dented or len({a for a, _ in apex}) < count:
        raise MeshError(f"the {count} points lie on a line; a triangulation needs three that do not")


def lawson(
    points: NDArray[np.float64], triangles: NDArray[np.int32], fixed: Iterable[Edge] = ()
) -> tuple[NDArray[np.int32], int]:
    """Make a triangulation Delaunay by exchanging diagonals (Fig 10 of the PrivacyMask paper).

    Two triangles with a common edge form a quadrilateral; where the fourth corner lies inside the circle of the other
    three, the diagonal is exchanged. The least angle rises with each exchange, so it ends.

    Args:
        points: (n, 2).
        triangles: (T, 3) counterclockwise, manifold.
        fixed: edges that must stay, such as folds; the result is then constrained Delaunay.

    Returns:
        (T, 3) and the number of exchanges.

    Raises:
        MeshError: triangles that are not counterclockwise, or an edge of two on the same side.
    """
    places = [(float(x), float(y)) for x, y in points]
    apex: dict[Edge, int] = {}
    for a, b, c in triangles.tolist():
        if orient(places[a], places[b], places[c]) <= 0 or {(a, b), (b, c), (c, a)} & apex.keys():
            raise MeshError(f"triangle {a}, {b}, {c} is not counterclockwise or lies on another one")
        _add(apex, a, b, c)
    held = frozenset((min(edge), max(edge)) for edge in fixed)
    exchanges = _flip(places, apex, list(apex), held)
    return _triangles(apex), exchanges


def _flip(places: list[Point], apex: dict[Edge, int], pending: list[Edge], held: frozenset[Edge]) -> int:
    exchanges = 0
    while pending:
        a, b = pending.pop()
        if (a, b) not in apex or (b, a) not in apex or (min(a, b), max(a, b)) in held:
            continue
        c, d = apex[a, b], apex[b, a]
        if in_circle(places[a], places[b], places[c], places[d]) <= 0:
            continue
        _remove(apex, a, b, c)
        _remove(apex, b, a, d)
        _add(apex, c, d, b)
        _add(apex, d, c, a)
        pending += [(b, c), (c, a), (a, d), (d, b)]
        exchanges += 1
    return exchanges


def _corners(places: list[Point], apex: dict[Edge, int], edge: Edge) -> tuple[Point, Point, Point]:
    return places[edge[0]], places[edge[1]], places[apex[edge]]


def _name(apex: dict[Edge, int], edge: Edge) -> tuple[int, int, int]:
    a, b, c = edge[0], edge[1], apex[edge]
    return min((a, b, c), (b, c, a), (c, a, b))


def _add(apex: dict[Edge, int], a: int, b: int, c: int) -> None:
    apex[a, b], apex[b, c], apex[c, a] = c, a, b


def _remove(apex: dict[Edge, int], a: int, b: int, c: int) -> None:
    for edge in ((a, b), (b, c), (c, a)):
        del apex[edge]


def _triangles(apex: dict[Edge, int]) -> NDArray[np.int32]:
    return np.array(sorted({_name(apex, edge) for edge in apex}), np.int32).reshape(-1, 3)
