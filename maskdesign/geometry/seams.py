"""Texture seams: corners with an index of their own for place and for texture become one vertex each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.geometry.mesh import TriangleMesh


def split_at_seams(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int64],
    uv: NDArray[np.float64],
    uv_triangles: NDArray[np.int64],
) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """Give every used pair of a place and a texture coordinate a vertex of its own.

    Args:
        vertices: (V, 3).
        triangles: (T, 3) indices into `vertices`, in range.
        uv: (U, 2).
        uv_triangles: (T, 3) indices into `uv`, in range.

    Returns:
        the mesh, and (W,) for each of its vertices the row of `vertices` that it came from.
    """
    pairs = triangles.astype(np.int64).ravel() * len(uv) + uv_triangles.ravel()
    used, corner = np.unique(pairs, return_inverse=True)
    origin = used // len(uv)
    return TriangleMesh(vertices[origin], corner.reshape(-1, 3), uv[used % len(uv)]), origin


def fan_triangles(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut polygons into triangles around their first corner.

    Args:
        lengths: (p,) corners of each polygon, which lie one after another; polygons under three vanish.

    Returns:
        (t, 3) positions in the list of all corners.
    """
    starts = np.cumsum(lengths) - lengths
    counts = np.maximum(lengths - 2, 0)
    first = np.repeat(starts, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.column_stack([first, first + step + 1, first + step + 2])
