"""Contact with the face itself: nearest point of a triangle mesh, exact, in numba.

Triangles lie in the boxes of a uniform grid; a query visits boxes around the point, the nearest first, until no box
left can hold anything nearer. The sign comes from angle-weighted pseudonormals (Baerentzen and Aanaes 2005, "Signed
distance computation using the angle weighted pseudonormal", IEEE TVCG 11(3)), so holes far from the query do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.mask.boxes import fill_boxes


@dataclass(frozen=True)
class Collider:
    """A mesh prepared for queries.

    Attributes:
        corners: (T, 3, 3) corner positions in millimeters.
        normals: (T, 7, 3) unit pseudonormals: of the face, of edges ab, bc, ca, of corners a, b, c.
        box_mm: edge of a box of the grid.
        origin_mm: (3,) lowest corner of the grid.
        counts: (3,) int64 boxes along each axis.
        starts: (boxes + 1,) int64 where a box's triangles begin in `members`.
        members: (n,) int32 triangle indices.
    """

    corners: NDArray[np.float64]
    normals: NDArray[np.float64]
    box_mm: float
    origin_mm: NDArray[np.float64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    members: NDArray[np.int32]


def build_collider(mesh: TriangleMesh, box_mm: float = 5.0) -> Collider:
    """Sort the triangles of a mesh into boxes.

    Args:
        mesh: counterclockwise seen from outside; triangles without area are left out.
        box_mm: about the length of an edge.
    """
    corners = mesh.vertices[mesh.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    triangles, corners = mesh.triangles[area > 1e-9], corners[area > 1e-9]
    origin = corners.min(axis=(0, 1)) - 1e-6
    counts = ((corners.max(axis=(0, 1)) - origin) / box_mm).astype(np.int64) + 1
    low = ((corners.min(axis=1) - origin) / box_mm).astype(np.int64)
    high = ((corners.max(axis=1) - origin) / box_mm).astype(np.int64)
    starts, members = fill_boxes(low, high, counts)
    return Collider(corners, _pseudonormals(mesh.vertices, triangles), box_mm, origin, counts, starts, members)


def _pseudonormals(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    corners = vertices[triangles]
    face = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    at_vertex = np.zeros_like(vertices)
    for k in range(3):
        first, second = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        angle = np.arccos(np.clip((_unit(first) * _unit(second)).sum(1), -1, 1))
        np.add.at(at_vertex, triangles[:, k], face * angle[:, None])
    ends = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], -1).reshape(-1, 2), axis=1).astype(np.int64)
    _, edge_of = np.unique(ends[:, 0] * len(vertices) + ends[:, 1], return_inverse=True)
    at_edge = np.zeros((edge_of.max() + 1, 3))
    np.add.at(at_edge, edge_of, np.repeat(face, 3, axis=0))
    edges, points = _unit(at_edge)[edge_of].reshape(-1, 3, 3), _unit(at_vertex)[triangles]
    return np.ascontiguousarray(np.concatenate([face[:, None], edges, points], axis=1))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def nearest_points(
    collider: Collider, points_mm: NDArray[np.float64], reach_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Nearest point of the mesh to each query, where one lies within reach.

    Args:
        points_mm: (n, 3).
        reach_mm: farthest distance looked at.

    Returns:
        Signed distance (n,), negative inside and `reach_mm` where nothing is near; the nearest point (n, 3); the unit
        direction (n, 3) along which the distance grows (the query's own offset, or the pseudonormal on the surface).
    """
    contacts = no_contacts(points_mm)
    refresh_contacts(collider, contacts, points_mm, reach_mm)
    return contacts.distance_mm, contacts.nearest_mm, contacts.direction


@dataclass(frozen=True)
class Contacts:
    """Nearest points that stay good while the queries move little; updated in place.

    Attributes:
        queried_mm: (n, 3) where each query stood.
        distance_mm: (n,) signed.
        nearest_mm: (n, 3).
        direction: (n, 3) unit vectors, zero where nothing was within reach.
    """

    queried_mm: NDArray[np.float64]
    distance_mm: NDArray[np.float64]
    nearest_mm: NDArray[np.float64]
    direction: NDArray[np.float64]


def no_contacts(points_mm: NDArray[np.float64]) -> Contacts:
    """Contacts of n points that were never looked up."""
    far = np.full_like(points_mm, 1e9, dtype=np.float64)
    return Contacts(far, np.zeros(len(points_mm)), np.zeros_like(far), np.zeros_like(far))


def refresh_contacts(
    collider: Collider, contacts: Contacts, points_mm: NDArray[np.float64], reach_mm: float, slack_mm: float = 0.1
) -> None:
    """Look up again the points that moved so far that their contact may have changed.

    Args:
        points_mm: (n, 3).
        reach_mm: farthest distance looked at.
        slack_mm: how far a point that touches may move before it is looked up again; one that is farther from the
            surface may move half its distance.
    """
    c, k = collider, contacts
    points = np.ascontiguousarray(points_mm, dtype=np.float64)
    state = (k.queried_mm, k.distance_mm, k.nearest_mm, k.direction)
    _refresh(
        points, reach_mm, slack_mm, *state, c.corners, c.normals, c.box_mm, c.origin_mm, c.counts, c.starts, c.members
    )


@njit(cache=True)
def _refresh(
    points, reach, slack, queried, distance, nearest, direction, corners, normals, box, origin, counts, starts, members
):
    q = np.zeros(3)
    for p in range(len(points)):
        point = points[p]
        moved = np.sqrt(_squared(point, queried[p]))
        if moved <= max(slack, 0.5 * distance[p]):
            continue
        # The old nearest point bounds the new distance, so the search can stop early.
        bound = min(reach, abs(distance[p]) + moved) * (1 + 1e-9)
        best, feature = _search(point, bound, q, corners, box, origin, counts, starts, members)
        queried[p] = point
        if best < 0:
            distance[p] = reach
            direction[p] = 0.0
            continue
        normal = normals[best, feature]
        offset = point - q
        length = np.sqrt(_squared(point, q))
        outside = offset[0] * normal[0] + offset[1] * normal[1] + offset[2] * normal[2] >= 0
        sign = 1.0 if outside else -1.0
        distance[p] = sign * length
        nearest[p] = q
        direction[p] = sign * offset / length if length > 1e-6 else normal


@njit(cache=True)
def _squared(a, b):
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2


@njit(cache=True)
def _search(point, reach, best_q, corners, box, origin, counts, starts, members):
    """Write the nearest point to best_q; return its triangle (-1: none within reach) and feature."""
    i0 = int(np.floor((point[0] - origin[0]) / box))
    j0 = int(np.floor((point[1] - origin[1]) / box))
    k0 = int(np.floor((point[2] - origin[2]) / box))
    best, best_t, best_feature, ring = reach * reach, -1, 0, 0
    q = np.zeros(3)
    # Outside of the rings before `ring`, everything is at least ring - 1 boxes away.
    while (ring - 1) * box < np.sqrt(best):
        for i in range(max(i0 - ring, 0), min(i0 + ring, counts[0] - 1) + 1):
            for j in range(max(j0 - ring, 0), min(j0 + ring, counts[1] - 1) + 1):
                inner = abs(i - i0) < ring and abs(j - j0) < ring
                for k in range(k0 - ring, k0 + ring + 1, 2 * ring if inner else 1):
                    if k < 0 or k >= counts[2]:
                        continue
                    cell = (i * counts[1] + j) * counts[2] + k
                    for m in range(starts[cell], starts[cell + 1]):
                        feature = _closest_on_triangle(point, corners[members[m]], q)
                        squared = _squared(point, q)
                        if squared < best:
                            best, best_t, best_feature = squared, members[m], feature
                            best_q[:] = q
        ring += 1
    return best_t, best_feature


@njit(cache=True)
def _closest_on_triangle(p, triangle, q):
    """Write the nearest point to q; return 0 face, 1..3 edges ab, bc, ca, 4..6 corners (Ericson 2005, 5.1.5)."""
    a, b, c = triangle[0], triangle[1], triangle[2]
    ab0, ab1, ab2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    ac0, ac1, ac2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    x, y, z = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    d1, d2 = ab0 * x + ab1 * y + ab2 * z, ac0 * x + ac1 * y + ac2 * z
    ab_ab, ab_ac = ab0 * ab0 + ab1 * ab1 + ab2 * ab2, ab0 * ac0 + ab1 * ac1 + ab2 * ac2
    ac_ac = ac0 * ac0 + ac1 * ac1 + ac2 * ac2
    d3, d4, d5, d6 = d1 - ab_ab, d2 - ab_ac, d1 - ab_ac, d2 - ac_ac
    vc, vb, va = d1 * d4 - d3 * d2, d5 * d2 - d1 * d6, d3 * d6 - d5 * d4
    if d1 <= 0 and d2 <= 0:
        feature, s, t = 4, 0.0, 0.0
    elif d3 >= 0 and d4 <= d3:
        feature, s, t = 5, 1.0, 0.0
    elif vc <= 0 and d1 >= 0 and d3 <= 0:
        feature, s, t = 1, d1 / (d1 - d3), 0.0
    elif d6 >= 0 and d5 <= d6:
        feature, s, t = 6, 0.0, 1.0
    elif vb <= 0 and d2 >= 0 and d6 <= 0:
        feature, s, t = 3, 0.0, d2 / (d2 - d6)
    elif va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        t = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        feature, s = 2, 1.0 - t
    else:
        feature, s, t = 0, vb / (va + vb + vc), vc / (va + vb + vc)
    q[0], q[1], q[2] = a[0] + s * ab0 + t * ac0, a[1] + s * ab1 + t * ac1, a[2] + s * ab2 + t * ac2
    return feature
