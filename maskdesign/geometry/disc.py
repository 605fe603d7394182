"""Is a patch of surface a disc? Only a disc can be flattened without a cut; others are repaired or refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals

MAX_ROUNDS = 10
"""Removing a bad triangle may leave others dangling; a patch that needs more rounds is refused."""


@dataclass(frozen=True)
class DiscReport:
    """What was done to make a disc.

    Attributes:
        dropped_triangles: without area, twice there, at edges of three triangles, dangling, or on another component.
        filled_holes: inner loops that were closed by a fan around their centroid.
        largest_hole_mm: perimeter of the largest of them, in the unit of the vertices; 0 where there was none.
    """

    dropped_triangles: int
    filled_holes: int
    largest_hole_mm: float


def boundary_loops(triangles: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """Every closed boundary curve of a manifold mesh with one orientation, longest (most vertices) first.

    Returns:
        arrays of vertex indices; the surface lies to the left of each curve.

    Raises:
        MeshError: the boundary meets itself in a vertex.
    """
    starts, ends = _boundary_edges(triangles)
    if len(np.unique(starts)) < len(starts):
        raise MeshError("the patch's boundary meets itself in a vertex; cut the patch there")
    following = dict(zip(starts.tolist(), ends.tolist(), strict=True))
    loops = []
    while following:
        loop = [next(iter(following))]
        while (vertex := following.pop(loop[-1])) != loop[0]:
            loop.append(vertex)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def _boundary_edges(triangles: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts, ends = _half_edges(triangles)
    count = int(triangles.max(initial=0)) + 1
    alone = ~np.isin(ends * count + starts, starts * count + ends)
    return starts[alone], ends[alone]


def _half_edges(triangles: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    corners = triangles.astype(np.int64)
    return corners.ravel(), np.roll(corners, -1, axis=1).ravel()


def check_disc(mesh: TriangleMesh) -> NDArray[np.int64]:
    """The boundary of a disc.

    Returns:
        (n,) vertex indices, the surface to the left.

    Raises:
        MeshError: the mesh is no disc; says what it is instead and what to do.
    """
    triangles = mesh.triangles
    remedy = "repair it with make_disc or cut a smaller patch"
    if not len(triangles):
        raise MeshError(f"the patch has no triangles; {remedy}")
    unused = len(mesh.vertices) - len(np.unique(triangles))
    if unused:
        raise MeshError(f"{unused} vertices of the patch belong to no triangle; {remedy}")
    flat = _without_area(mesh.vertices, triangles).sum()
    if flat:
        raise MeshError(f"{flat} triangles of the patch have no area; {remedy}")
    crowded = _non_manifold(triangles).sum()
    if crowded:
        raise MeshError(f"the patch is not manifold at {crowded} triangles; {remedy}")
    pieces = int(_components(triangles).max()) + 1
    if pieces > 1:
        raise MeshError(f"the patch has {pieces} pieces; {remedy}")
    loops = boundary_loops(triangles)
    if len(loops) != 1:
        raise MeshError(f"the patch has {len(loops)} boundary loops instead of one; {remedy}")
    euler = _euler_characteristic(triangles)
    if euler != 1:
        raise MeshError(f"the patch has a handle (Euler characteristic {euler}, a disc has 1); cut it open first")
    return loops[0]


def make_disc(mesh: TriangleMesh, largest_hole: float = 0.5) -> tuple[TriangleMesh, NDArray[np.int64], DiscReport]:
    """Repair a patch: drop what is not manifold, keep the largest piece, fill the holes.

    Args:
        largest_hole: perimeter of the largest hole that is filled, as a share of the outer boundary.

    Returns:
        the disc (uv is dropped); (V',) index of each of its vertices in `mesh`, -1 for the centroids of filled holes;
        and what was done.

    Raises:
        MeshError: no disc can be made of it: closed, a handle, or a hole as large as the patch.
    """
    kept = _manifold_piece(mesh)
    dropped = len(mesh.triangles) - len(kept)
    loops = boundary_loops(kept)
    if not loops:
        raise MeshError("the surface is closed; cut a patch out of it first")
    lengths = [_perimeter(mesh.vertices, loop) for loop in loops]
    order = np.argsort(lengths)[::-1]
    holes = [loops[i] for i in order[1:]]
    report = DiscReport(dropped, len(holes), float(lengths[order[1]]) if holes else 0.0)
    if report.largest_hole_mm > largest_hole * lengths[order[0]]:
        raise MeshError(
            f"the patch has a hole of perimeter {report.largest_hole_mm:.4g}, its outer boundary only "
            f"{lengths[order[0]]:.4g}; cut it open or fill the hole first"
        )
    vertices, triangles = _fill(mesh.vertices, kept, holes)
    used, compact = np.unique(triangles, return_inverse=True)
    disc = TriangleMesh(vertices[used], compact.reshape(-1, 3).astype(np.int32))
    check_disc(disc)
    return disc, np.where(used < len(mesh.vertices), used, -1), report


def _manifold_piece(mesh: TriangleMesh) -> NDArray[np.int32]:
    triangles = mesh.triangles[~_without_area(mesh.vertices, mesh.triangles)]
    _, first = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True)
    triangles = triangles[np.sort(first)]
    for _ in range(MAX_ROUNDS):
        if not len(triangles):
            break
        pieces = _components(triangles)
        triangles = triangles[pieces == np.bincount(pieces).argmax()]
        bad = _non_manifold(triangles)
        if not bad.any():
            return triangles
        triangles = triangles[~bad]
    raise MeshError(f"the patch of {len(mesh.triangles)} triangles is not manifold beyond repair; scan or cut it again")


def _without_area(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.bool_]:
    edges = vertices[triangles] - vertices[np.roll(triangles, -1, axis=1)]
    longest = (edges**2).sum(axis=2).max(axis=1)
    return np.linalg.norm(triangle_normals(vertices, triangles), axis=1) <= 1e-10 * longest


def _non_manifold(triangles: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Triangles at an edge that two run along in the same direction, or at a vertex where two fans meet."""
    starts, ends = _half_edges(triangles)
    count = int(triangles.max()) + 1
    _, number, uses = np.unique(starts * count + ends, return_inverse=True, return_counts=True)
    bad = (uses[number.ravel()] > 1).reshape(-1, 3).any(axis=1)
    boundary_starts, _ = _boundary_edges(triangles)
    places, leaving = np.unique(boundary_starts, return_counts=True)
    pinched = np.zeros(count, np.bool_)
    pinched[places[leaving > 1]] = True
    if not bad.any():
        pinched |= _touching_fans(triangles, count)
    return bad | pinched[triangles].any(axis=1)


def _touching_fans(triangles: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    import igl

    used = np.zeros(count, np.bool_)
    used[triangles] = True
    manifold = np.asarray(igl.is_vertex_manifold(triangles.astype(np.int64))).ravel()
    return used & ~manifold[:count]


def _components(triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """(T,) number of the piece of each triangle; pieces are joined by edges."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    starts, ends = _half_edges(triangles)
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    edges, number = np.unique(low * (int(triangles.max()) + 1) + high, return_inverse=True)
    owner = np.repeat(np.arange(len(triangles)), 3)
    shape = (len(triangles), len(edges))
    incidence = coo_matrix((np.ones(len(owner), np.int32), (owner, number.ravel())), shape).tocsr()
    return connected_components(incidence @ incidence.T, directed=False)[1].astype(np.int64)


def _euler_characteristic(triangles: NDArray[np.int32]) -> int:
    starts, ends = _half_edges(triangles)
    edges = np.unique(np.sort(np.stack([starts, ends], 1), axis=1), axis=0)
    return len(np.unique(triangles)) - len(edges) + len(triangles)


def _perimeter(vertices: NDArray[np.float64], loop: NDArray[np.int64]) -> float:
    return float(np.linalg.norm(vertices[loop] - vertices[np.roll(loop, -1)], axis=1).sum())


def _fill(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32], holes: list[NDArray[np.int64]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    points, fans = [vertices], [triangles.astype(np.int64)]
    for number, hole in enumerate(holes):
        center = np.full(len(hole), len(vertices) + number)
        points.append(vertices[hole].mean(axis=0, keepdims=True))
        fans.append(np.stack([np.roll(hole, -1), hole, center], axis=1))
    return np.concatenate(points), np.concatenate(fans)
