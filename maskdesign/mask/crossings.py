"""Where a worn sheet cuts through itself: edges that pierce a triangle, found with boxes, in numba.

Two triangles of a surface in general position cross exactly if an edge of one of them pierces the other, so that a
sheet none of whose edges pierces a triangle passes through itself nowhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from maskdesign.geometry.mesh import mesh_edges
from maskdesign.mask.boxes import fill_boxes

BOX_MM = 4.0
"""Edge of a box, somewhat longer than an edge of the sheet."""
PLANE_MM3 = 1e-9
"""Volumes below this are rounding of points in one plane."""


def find_crossings(vertices_mm: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Edges that pierce a triangle with which they share no vertex.

    Args:
        vertices_mm: (V, 3).
        triangles: (T, 3).

    Returns:
        (n, 3) int32: the edge's two vertices and the triangle's number, in rising order. An edge that only touches a
        triangle, or lies in its plane, does not pierce it.
    """
    edges = mesh_edges(triangles)
    corners, ends = vertices_mm[triangles], vertices_mm[edges]
    origin = vertices_mm.min(axis=0) - 1e-6
    low, high = (_box_numbers(pick(corners, axis=1), origin) for pick in (np.min, np.max))
    counts = high.max(axis=0) + 1
    starts, members = fill_boxes(low, high, counts)
    first, last = (_box_numbers(pick(ends, axis=1), origin) for pick in (np.min, np.max))
    edge, triangle = _pierced(vertices_mm, edges, triangles, first, last, low, counts, starts, members)
    found = np.column_stack([edges[edge], triangle]).astype(np.int32)
    return found[np.lexsort(found.T[::-1])]


def _box_numbers(points_mm: NDArray[np.float64], origin_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    return ((points_mm - origin_mm) / BOX_MM).astype(np.int64)


@njit(cache=True)
def _pierced(x, edges, triangles, first, last, low, counts, starts, members):
    edge, triangle = [0 for _ in range(0)], [0 for _ in range(0)]
    for e in range(len(edges)):
        for i in range(first[e, 0], last[e, 0] + 1):
            for j in range(first[e, 1], last[e, 1] + 1):
                for k in range(first[e, 2], last[e, 2] + 1):
                    box = (i * counts[1] + j) * counts[2] + k
                    for m in range(starts[box], starts[box + 1]):
                        t = members[m]
                        # A pair that shares several boxes is looked at in the lowest of them.
                        lowest = i == max(first[e, 0], low[t, 0]) and j == max(first[e, 1], low[t, 1])
                        if lowest and k == max(first[e, 2], low[t, 2]) and pierces(x, edges[e], triangles[t]):
                            edge.append(e)
                            triangle.append(t)
    return np.array(edge, np.int64), np.array(triangle, np.int64)


@njit(cache=True)
def pierces(x, edge, triangle):
    """Whether the open edge passes through the triangle, by the signs of five volumes; False if they share a vertex."""
    for s in range(2):
        for k in range(3):
            if edge[s] == triangle[k]:
                return False
    p, q = x[edge[0]], x[edge[1]]
    a, b, c = x[triangle[0]], x[triangle[1]], x[triangle[2]]
    start, end = _volume(p, a, b, c), _volume(q, a, b, c)
    if min(start, end) >= -PLANE_MM3 or max(start, end) <= PLANE_MM3:
        return False
    beside_ab, beside_bc, beside_ca = _volume(p, q, a, b), _volume(p, q, b, c), _volume(p, q, c, a)
    inside_left = beside_ab >= 0 and beside_bc >= 0 and beside_ca >= 0
    return inside_left or (beside_ab <= 0 and beside_bc <= 0 and beside_ca <= 0)


@njit(cache=True)
def _volume(p, a, b, c):
    """Six times the signed volume of the tetrahedron p, a, b, c."""
    a0, a1, a2 = a[0] - p[0], a[1] - p[1], a[2] - p[2]
    b0, b1, b2 = b[0] - p[0], b[1] - p[1], b[2] - p[2]
    c0, c1, c2 = c[0] - p[0], c[1] - p[1], c[2] - p[2]
    return a0 * (b1 * c2 - b2 * c1) + a1 * (b2 * c0 - b0 * c2) + a2 * (b0 * c1 - b1 * c0)
