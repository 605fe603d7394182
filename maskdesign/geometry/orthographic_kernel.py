"""The loop of the parallel projection over triangles and pixels, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def project(vertices, triangles, rows, columns):
    """The nearest triangle of each pixel and where in it the pixel's center lies.

    Args:
        vertices: (V, 3) columns, rows and height; larger is nearer.
        triangles: (T, 3).
        rows, columns: size of the grid.

    Returns:
        (H, W) int32, -1 where there is none, and (H, W, 3) barycentric coordinates.
    """
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
