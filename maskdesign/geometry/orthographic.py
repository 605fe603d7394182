"""Parallel projection along z onto a pixel grid: for looking at a surface where no camera is known yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.geometry.mesh import TriangleMesh, triangle_normals


@dataclass(frozen=True)
class FrontView:
    """A surface seen along -z.

    Attributes:
        triangle: (H, W) int32 the triangle nearest to the viewer, -1 where there is none.
        weights: (H, W, 3) its barycentric coordinates at the pixel's center.
        points: (H, W, 3) where the pixel's line of sight meets it, 0 where it meets none.

    Convention: x grows along the columns, y falls along the rows, the viewer is at z = +infinity.
    """

    triangle: NDArray[np.int32]
    weights: NDArray[np.float64]
    points: NDArray[np.float64]


def view_from_front(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    pitch: float,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> FrontView:
    """Project a surface.

    Args:
        vertices: (V, 3).
        triangles: (T, 3); both sides are seen.
        pitch: edge of a pixel in the unit of the vertices.
        low, high: (2,) corners of the window in x and y.
    """
    # The compiler takes half a second to load: a scan that is refused should not wait for it.
    from maskdesign.geometry.orthographic_kernel import project

    columns, rows = np.maximum(np.ceil((high - low) / pitch).astype(int), 1)
    flat = np.column_stack([(vertices[:, 0] - low[0]) / pitch, (high[1] - vertices[:, 1]) / pitch, vertices[:, 2]])
    triangle, weights = project(flat, triangles, int(rows), int(columns))
    corners = vertices[triangles[triangle]]
    points = (corners * weights[..., None]).sum(axis=2)
    return FrontView(triangle, weights, np.where((triangle >= 0)[..., None], points, 0.0))


def facing_rotation(mesh: TriangleMesh) -> NDArray[np.float64]:
    """(3, 3) rotation that turns a surface's mean normal to the viewer and leaves +y upward where it can.

    Convention: rows are the viewer's x, y and z axes; points are turned by `points @ rotation.T`.
    """
    normal = triangle_normals(mesh.vertices, mesh.triangles).sum(axis=0)
    length = np.linalg.norm(normal)
    # A closed surface has none.
    normal = normal / length if length > 0 else np.array([0.0, 0.0, 1.0])
    up = np.array([0.0, 1.0, 0.0]) if abs(normal[1]) < 0.9 else np.array([0.0, 0.0, -1.0])
    right = np.cross(up, normal)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(normal, right), normal])
