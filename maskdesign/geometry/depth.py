"""Points inserted where a triangulated flattening misses the depth of its surface most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.delaunay import MAX_POINTS, delaunay
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.refine import lift_points, locate


@dataclass(frozen=True)
class DepthMesh:
    """A coarse triangulation of a surface, with what each round of insertion reached.

    Attributes:
        points: (n, 2) in the flattening, those given first and in their order.
        triangles: (T, 3) int32, Delaunay in the flattening.
        vertices: (n, 3) the points on the surface.
        counts: (rounds,) number of points in each round.
        errors: (rounds,) largest distance of a vertex of the surface from the triangle that stands for it.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    vertices: NDArray[np.float64]
    counts: tuple[int, ...]
    errors: tuple[float, ...]


def insert_for_depth(
    mesh: TriangleMesh, flat: NDArray[np.float64], start: NDArray[np.float64], tolerance: float
) -> DepthMesh:
    """Insert vertices of a surface into a coarse triangulation of it until nothing is farther off than `tolerance`.

    In each round every triangle gets the vertex that it misses most (Garland and Heckbert 1995, "Fast polygonal
    approximation of terrains and height fields"). The PrivacyMask paper, section 3.2, Fig 11, inserts points in the
    same way: "the more triangle blocks are connected", the more depth they show.

    Args:
        mesh: the surface.
        flat: (V, 2) its flattening without flips.
        start: (n, 2) points of the plane to begin with, n >= 3, whose hull should hold the flattening.
        tolerance: > 0, in the unit of the vertices.

    Raises:
        MeshError: a tolerance that is not positive or needs too many points, or points that span no area.
    """
    if not tolerance > 0:
        raise MeshError(f"tolerance = {tolerance} must be positive")
    points, counts, errors = start, [], []
    while True:
        triangles, vertices = delaunay(points), lift_points(mesh, flat, points)
        missed, owner = missed_depth(mesh, flat, points, triangles, vertices)
        counts.append(len(points))
        errors.append(float(missed.max()))
        worst = _worst_of_each(missed, owner, tolerance)
        if not len(worst):
            return DepthMesh(points, triangles, vertices, tuple(counts), tuple(errors))
        if len(points) + len(worst) > MAX_POINTS:
            raise MeshError(f"tolerance = {tolerance:g} needs more than {MAX_POINTS} points; take a larger one")
        points = np.concatenate([points, flat[worst]])


def missed_depth(
    mesh: TriangleMesh,
    flat: NDArray[np.float64],
    points: NDArray[np.float64],
    triangles: NDArray[np.int32],
    vertices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How far a triangulation made in the flattening is from the surface at each vertex of it.

    Args:
        mesh: the surface.
        flat: (V, 2) its flattening without flips.
        points, triangles, vertices: the triangulation: (n, 2) places, (T, 3) corners, (n, 3) points on the surface.

    Returns:
        (V,) distance of each vertex from what stands for it at the same place, in the unit of the vertices; (V,) the
        triangle that does.
    """
    owner, corners, bary = locate(points, triangles, flat)
    approximated = np.einsum("nk,nkd->nd", bary, vertices[corners])
    return np.linalg.norm(mesh.vertices - approximated, axis=1), owner


def _worst_of_each(missed: NDArray[np.float64], owner: NDArray[np.int64], tolerance: float) -> NDArray[np.int64]:
    order = np.lexsort((-missed, owner))
    first = np.unique(owner[order], return_index=True)[1]
    worst = order[first]
    return worst[missed[worst] > tolerance]
