"""The triangle mesh that every room speaks, and the few quantities that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError

MAX_VERTICES = 5_000_000
MAX_TRIANGLES = 10_000_000


@dataclass(frozen=True)
class TriangleMesh:
    """A triangle mesh, validated when it is made.

    Attributes:
        vertices: (V, 3) float64. Unit and frame are the owner's: millimeters in the face frame almost everywhere.
        triangles: (T, 3) int32 vertex indices, counterclockwise seen from outside.
        uv: (V, 2) float64 texture coordinates in [0, 1], or None.

    Convention: uv has its origin at the upper left of the picture, u right and v down, like pixel rows
    (glTF's convention; PyTorch3D and OBJ count v upward).

    Raises:
        MeshError: wrong shapes, indices out of range, values that are not finite, or more elements than the limit.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    uv: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        vertices = _as_array(self.vertices, np.float64, 3, "vertices")
        triangles = _as_array(self.triangles, np.int64, 3, "triangles")
        _check_limits(len(vertices), len(triangles))
        if triangles.size and (triangles.min() < 0 or triangles.max() >= len(vertices)):
            raise MeshError(
                f"triangle indices run from {triangles.min()} to {triangles.max()}, "
                f"but there are {len(vertices)} vertices"
            )
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "triangles", triangles.astype(np.int32))
        if self.uv is not None:
            uv = _as_array(self.uv, np.float64, 2, "uv")
            if len(uv) != len(vertices):
                raise MeshError(f"uv has {len(uv)} rows for {len(vertices)} vertices")
            object.__setattr__(self, "uv", uv)


def _as_array(values: NDArray, dtype: type, columns: int, name: str) -> NDArray:
    array = np.ascontiguousarray(values)
    if array.ndim != 2 or array.shape[1] != columns:
        raise MeshError(f"{name} must have shape (n, {columns}), not {array.shape}")
    if not np.isfinite(array).all():
        raise MeshError(f"{name} holds {np.count_nonzero(~np.isfinite(array))} values that are not finite")
    return array.astype(dtype)


def _check_limits(vertex_count: int, triangle_count: int) -> None:
    if vertex_count > MAX_VERTICES or triangle_count > MAX_TRIANGLES:
        raise MeshError(
            f"{vertex_count} vertices and {triangle_count} triangles exceed the limit of "
            f"{MAX_VERTICES} and {MAX_TRIANGLES}"
        )


def triangle_normals(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Normals scaled by twice the triangles' areas.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).

    Returns:
        (T, 3), pointing to the side from which the corners run counterclockwise.
    """
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def vertex_normals(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Area-weighted unit normals at the vertices.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).

    Returns:
        (V, 3) unit vectors; +z where no triangle touches a vertex.
    """
    per_triangle = triangle_normals(vertices, triangles)
    summed = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(summed, triangles[:, corner], per_triangle)
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    return np.where(length > 0, summed / np.where(length > 0, length, 1), [0.0, 0.0, 1.0])


def mesh_edges(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """(E, 2) every edge of a triangulation once, the lower vertex first, in rising order."""
    ends = np.stack([triangles, np.roll(triangles, -1, axis=1)], -1).reshape(-1, 2)
    return np.unique(np.sort(ends, axis=1), axis=0)


def merge_meshes(first: TriangleMesh, second: TriangleMesh) -> TriangleMesh:
    """Both meshes as one; the second one's indices are shifted, uv is dropped."""
    shifted = second.triangles + len(first.vertices)
    return TriangleMesh(np.vstack([first.vertices, second.vertices]), np.vstack([first.triangles, shifted]))
