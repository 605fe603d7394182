"""`Clusters`: a mesh as the z-buffer wants it, in small runs of neighboring triangles that can be skipped at once.

Runs with a bounding sphere and a cone of normals go back to Hoppe and others; see Wihlidal, "Optimizing the graphics
pipeline with compute", GDC 2016. Each run holds a copy of its vertices, so that a whole one fits into the first cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.mesh import triangle_normals

TRIANGLES = 64
"""In one cluster, at most."""

NO_CONE = 2.0


@dataclass(frozen=True, eq=False)
class Clusters:
    """M runs of the T triangles of a mesh, in the mesh's order.

    Attributes:
        first_triangle, first_vertex: (M + 1,) where each run begins in `corners` and in `vertices_mm`.
        vertices_mm: (3, N) float32 x, y and z, the vertices of one run after the other.
        corners: (T, 3) uint8, counted from the first vertex of the run.
        spheres_mm: (M, 4) center and radius around the vertices.
        cones: (M, 4) axis of the unit normals and the sine of the largest angle to it; `NO_CONE` beyond a right angle.
        solid: (M,) whether the run belongs to a closed surface, whose inner side is never seen from outside.
    """

    first_triangle: NDArray[np.int32]
    first_vertex: NDArray[np.int32]
    vertices_mm: NDArray[np.float32]
    corners: NDArray[np.uint8]
    spheres_mm: NDArray[np.float64]
    cones: NDArray[np.float64]
    solid: NDArray[np.bool_]


def cluster_triangles(
    vertices_mm: NDArray[np.float32], triangles: NDArray[np.int32], solid: NDArray[np.bool_] | None = None
) -> Clusters:
    """Cut a list of triangles into runs; neighbors in space should be neighbors in the list.

    Args:
        vertices_mm: (V, 3).
        triangles: (T, 3).
        solid: (T,) triangles of closed surfaces; none where it is left out.

    Raises:
        MeshError: a vertex that is not finite, or a triangle of one that does not exist.
    """
    _check_mesh(vertices_mm, triangles)
    solid = np.zeros(len(triangles), np.bool_) if solid is None else solid
    first_triangle = _run_starts(solid)
    counts = np.diff(first_triangle)
    run = np.repeat(np.arange(len(counts)), counts)
    keys, corners = np.unique(run[:, None] * len(vertices_mm) + triangles, return_inverse=True)
    first_vertex = np.searchsorted(keys, np.arange(len(counts) + 1) * len(vertices_mm))
    own = vertices_mm[keys % max(len(vertices_mm), 1)]
    return Clusters(
        first_triangle=first_triangle.astype(np.int32),
        first_vertex=first_vertex.astype(np.int32),
        vertices_mm=np.ascontiguousarray(own.T, np.float32),
        corners=(corners.reshape(triangles.shape) - first_vertex[run][:, None]).astype(np.uint8),
        spheres_mm=_spheres(own.astype(np.float64), first_vertex[:-1]),
        cones=_cones(triangle_normals(vertices_mm.astype(np.float64), triangles), first_triangle[:-1]),
        solid=solid[first_triangle[:-1]],
    )


def _check_mesh(vertices_mm: NDArray[np.float32], triangles: NDArray[np.int32]) -> None:
    finite = np.isfinite(vertices_mm).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise MeshError(f"vertices_mm[{first}] = {vertices_mm[first].tolist()} is not finite")
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(vertices_mm):
        raise MeshError(
            f"triangles name the vertices {triangles.min()} to {triangles.max()}, but there are {len(vertices_mm)}"
        )


def _run_starts(solid: NDArray[np.bool_]) -> NDArray[np.intp]:
    borders = [0, *(np.flatnonzero(solid[1:] != solid[:-1]) + 1), len(solid)]
    pieces = [np.arange(start, stop, TRIANGLES) for start, stop in pairwise(borders)]
    return np.concatenate([*pieces, [len(solid)]]).astype(np.intp)


def _spheres(vertices: NDArray[np.float64], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    if not len(starts):
        return np.empty((0, 4))
    lowest, highest = np.minimum.reduceat(vertices, starts), np.maximum.reduceat(vertices, starts)
    return np.column_stack([(lowest + highest) / 2, np.linalg.norm(highest - lowest, axis=1) / 2])


def _cones(normals: NDArray[np.float64], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    if not len(starts):
        return np.empty((0, 4))
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.where(lengths > 0, lengths, 1)
    axes = np.add.reduceat(normals, starts)
    axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-12)
    counts = np.diff([*starts, len(normals)])
    cosines = np.einsum("td,td->t", normals, np.repeat(axes, counts, axis=0))
    # Triangles without an area have no normal, and nobody sees them.
    cosines[~normals.any(axis=1)] = 1
    least = np.minimum.reduceat(cosines, starts)
    return np.column_stack([axes, np.where(least > 0, np.sqrt(1 - np.clip(least, 0, 1) ** 2), NO_CONE)])
