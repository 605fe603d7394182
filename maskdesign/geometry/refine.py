"""Constrained Delaunay triangulation with a least angle, in the plane and through the plane on a surface (CDT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.distortion import least_angle_deg
from maskdesign.geometry.mesh import TriangleMesh

RUPPERT_DEG = 20.7
"""Least angle that Ruppert's algorithm guarantees where no two constraints meet at less than 60 degrees."""


@dataclass(frozen=True)
class PlanarMesh:
    """A triangulated region of the plane with edges that were to be kept.

    Attributes:
        points: (n, 2), those given first and in their order.
        triangles: (T, 3) int32, counterclockwise (x right, y up).
        kept_edges: (m, 2) int32, the constraints or the pieces that refinement cut them into.
        constraint: (m,) int32, which given constraint each one is or belongs to.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    kept_edges: NDArray[np.int32]
    constraint: NDArray[np.int32]


def triangulate(points: NDArray[np.float64], edges: NDArray[np.integer]) -> PlanarMesh:
    """Constrained Delaunay triangulation of the region that closed chains of edges enclose.

    Args:
        points: (n, 2), all different.
        edges: (m, 2) indices; they may meet at points only.

    Raises:
        MeshError: doubles, edges that cross, indices out of range, or nothing enclosed.
    """
    cdt = _constrained(points, edges)
    return _finished(cdt, points, edges, cdt.collect_outer_triangles())


def refine(
    points: NDArray[np.float64],
    edges: NDArray[np.integer],
    min_angle_deg: float = RUPPERT_DEG,
    max_new_points: int = 50_000,
) -> PlanarMesh:
    """Add points until no angle is smaller than wanted; every constraint stays, cut in pieces where it must be.

    Ruppert 1995, "A Delaunay refinement algorithm for quality 2-dimensional mesh generation", through the CDT library.

    Args:
        points, edges: as in `triangulate`.
        min_angle_deg: 0 to 33; above 20.7 it often ends but need not.
        max_new_points: where it gives up.

    Raises:
        MeshError: as in `triangulate`, or the angle was not reached.
    """
    import pythoncdt

    if not 0 <= min_angle_deg <= 33:
        raise MeshError(f"min_angle_deg = {min_angle_deg} must lie between 0 and 33; refinement cannot reach more")
    cdt = _constrained(points, edges)
    outside = cdt.collect_outer_triangles()
    # A hair more than wanted, so that rounding does not miss it.
    criterion, wanted = pythoncdt.RefinementCriterion.SMALLEST_ANGLE, np.radians(min_angle_deg * (1 + 1e-9))
    cdt.refine_triangles(max_new_points, criterion, float(wanted), outside)
    mesh = _finished(cdt, points, edges, outside)
    reached = least_angle_deg(mesh.points, mesh.triangles)
    if reached < min_angle_deg:
        raise MeshError(
            f"the least angle is {reached:.2f} degrees after {len(mesh.points) - len(points)} new points, wanted "
            f"{min_angle_deg:g}; ask for less, or part edges that meet at a sharp corner"
        )
    return mesh


def _constrained(points: NDArray[np.float64], edges: NDArray[np.integer]) -> Any:
    import pythoncdt

    _check_input(points, edges)
    strategy = pythoncdt.IntersectingConstraintEdges.NOT_ALLOWED
    cdt = pythoncdt.Triangulation(pythoncdt.VertexInsertionOrder.AUTO, strategy, 0.0)
    try:
        cdt.insert_vertices(np.ascontiguousarray(points, np.float64))  # type: ignore[call-overload]
        cdt.insert_edges(np.ascontiguousarray(edges, np.uint32))  # type: ignore[call-overload]
    except RuntimeError as error:
        raise MeshError(f"the constraints cannot be triangulated: {str(error).splitlines()[0]}") from error
    return cdt


def _check_input(points: NDArray[np.float64], edges: NDArray[np.integer]) -> None:
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise MeshError(f"a triangulation needs at least three finite points (n, 2), not an array {points.shape}")
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise MeshError(f"edges must have shape (m, 2), not {edges.shape}")
    if edges.size and (edges.min() < 0 or edges.max() >= len(points)):
        raise MeshError(f"edges name the points {edges.min()} to {edges.max()}, but there are {len(points)}")
    if (edges[:, 0] == edges[:, 1]).any():
        raise MeshError(f"{np.count_nonzero(edges[:, 0] == edges[:, 1])} edges begin and end at the same point")


def _finished(cdt: Any, points: NDArray[np.float64], edges: NDArray[np.integer], outside: set[int]) -> PlanarMesh:
    import pythoncdt

    cdt.finalize_triangulation(outside)
    if not cdt.triangles_count():
        raise MeshError("the edges enclose nothing; close the outline")
    if not (pythoncdt.verify_topology(cdt) and pythoncdt.verify_winding(cdt)):
        raise MeshError("the triangulation came out inconsistent; give the points with fewer digits")
    vertices, triangles = cdt.vertices_array(), cdt.triangles_array()["vertices"]
    number = {tuple(sorted(edge)): k for k, edge in enumerate(edges.tolist())}
    original = {(p.v1, p.v2): number[whole[0].v1, whole[0].v2] for p, whole in cdt.piece_to_originals_iter()}
    kept = sorted((edge.v1, edge.v2) for edge in cdt.fixed_edges_iter())
    return PlanarMesh(
        points=np.stack([vertices["x"], vertices["y"]], axis=1),
        triangles=triangles.astype(np.int32),
        kept_edges=np.array(kept, np.int32).reshape(-1, 2),
        constraint=np.array([original[edge] if edge in original else number[edge] for edge in kept], np.int32),
    )


def edges_not_delaunay(mesh: PlanarMesh) -> int:
    """How many edges are neither kept ones nor Delaunay: both opposite angles add up to more than 180 degrees.

    Delaunay 1934; 1e-9 more is forgiven, for refinement puts many points on common circles.
    """
    points = mesh.points[mesh.triangles]
    opposite = np.stack([np.roll(mesh.triangles, -1, axis=1), np.roll(mesh.triangles, -2, axis=1)], axis=2)
    sides = np.sort(opposite, axis=2).reshape(-1, 2)
    first, second = np.roll(points, -1, axis=1) - points, np.roll(points, -2, axis=1) - points
    across = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    angles = np.arctan2(abs(across), (first * second).sum(axis=2)).ravel()
    count = len(mesh.points)
    edges, number = np.unique(sides[:, 0].astype(np.int64) * count + sides[:, 1], return_inverse=True)
    kept = np.sort(mesh.kept_edges, axis=1).astype(np.int64)
    free = ~np.isin(edges, kept[:, 0] * count + kept[:, 1])
    return int((free & (np.bincount(number.ravel(), angles) > np.pi + 1e-9)).sum())


def lift_points(mesh: TriangleMesh, flat: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a flattening back on the surface: barycentric interpolation in the triangle of the map.

    Args:
        mesh: the surface.
        flat: (V, 2) its flattening, no triangle flipped.
        points: (n, 2); those outside go to the nearest point of the boundary.

    Returns:
        (n, 3).
    """
    _, corners, bary = locate(flat, mesh.triangles, points)
    return np.einsum("nk,nkd->nd", bary, mesh.vertices[corners])


def locate(
    flat: NDArray[np.float64], triangles: NDArray[np.int32], points: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """The triangle nearest to each point of the plane.

    Returns:
        (n,) triangle, (n, 3) its vertices, (n, 3) barycentric coordinates of the nearest point in it.
    """
    import igl

    raised = np.column_stack([flat, np.zeros(len(flat))])
    queries = np.column_stack([points, np.zeros(len(points))])
    found = igl.point_mesh_squared_distance(queries, raised, triangles.astype(np.int64))
    where, nearest = np.asarray(found[1], np.int64), np.asarray(found[2], np.float64)
    corners = triangles[where]
    a, b, c = (flat[corners[:, k]] for k in range(3))
    e1, e2, offset = b - a, c - a, nearest[:, :2] - a
    area = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    second = (offset[:, 0] * e2[:, 1] - offset[:, 1] * e2[:, 0]) / area
    third = (e1[:, 0] * offset[:, 1] - e1[:, 1] * offset[:, 0]) / area
    return where, corners, np.stack([1 - second - third, second, third], axis=1)
