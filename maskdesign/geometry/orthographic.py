"""Parallel projection along z onto a pixel grid: for looking at a surface where no camera is known yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


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
    columns, rows = np.maximum(np.ceil((high - low) / pitch).astype(int), 1)
    flat = np.column_stack([(vertices[:, 0] - low[0]) / pitch, (high[1] - vertices[:, 1]) / pitch, vertices[:, 2]])
    triangle, weights = _project(flat, triangles, int(rows), int(columns))
    corners = vertices[triangles[triangle]]
    points = (corners * weights[..., None]).sum(axis=2)
    return FrontView(triangle, weights, np.where((triangle >= 0)[..., None], points, 0.0))


@njit(cache=True)
def _project(vertices, triangles, rows, columns):
    nearest = np.full((rows, columns), -np.inf)
    found = np.full((rows, columns), -1, np.int32)
    weights = np.zeros((rows, columns, 3))
    for t in range(len(triangles)):
        a, b, c = vertices[triangles[t, 0]], vertices[triangles[t, 1]], vertices[triangles[t, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        first = max(int(np.ceil(min(a[1], b[1], c[1]) - 0.5)), 0)
        last = min(int(np.floor(max(a[1], b[1], c[1]) - 0.5)), rows - 1)
        left = max(int(np.ceil(min(a[0], b[0], c[0]) - 0.5)), 0)
        right = min(int(np.floor(max(a[0], b[0], c[0]) - 0.5)), columns - 1)
        for row in range(first, last + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
                v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
                w = 1.0 - u - v
                if u < -1e-12 or v < -1e-12 or w < -1e-12:
                    continue
                depth = u * a[2] + v * b[2] + w * c[2]
                if depth > nearest[row, column]:
                    nearest[row, column] = depth
                    found[row, column] = t
                    weights[row, column, 0], weights[row, column, 1], weights[row, column, 2] = u, v, w
    return found, weights
