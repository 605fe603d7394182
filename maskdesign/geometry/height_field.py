"""A surface as a height above a regular grid, the way a range scanner sees it, and back as a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.mesh import TriangleMesh

MAX_SAMPLES = 4_000_000


@dataclass(frozen=True)
class HeightField:
    """Heights above a grid.

    Attributes:
        x: (C,) rising.
        y: (R,) falling, like the rows of a picture.
        z: (R, C) height, NaN where there is no surface.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]


def sample_heights(mesh: TriangleMesh, x: NDArray[np.float64], y: NDArray[np.float64]) -> HeightField:
    """The outermost surface (greatest z) over each point of a regular grid.

    Args:
        x: (C,) rising in equal steps.
        y: (R,) falling in equal steps.

    Raises:
        MeshError: a grid of fewer than 2 x 2 points or of too many, or steps that are not equal.
    """
    for name, values, sign in (("x", x, 1), ("y", y, -1)):
        steps = sign * np.diff(values)
        if not len(steps) or steps.min() <= 0 or np.ptp(steps) > 1e-6 * steps.mean():
            raise MeshError(f"the grid's {name} must be at least two values in equal steps, not {values[:3]} ...")
    if len(x) * len(y) > MAX_SAMPLES:
        raise MeshError(f"a grid of {len(x)} x {len(y)} points exceeds {MAX_SAMPLES}; sample more coarsely")
    z = np.full((len(y), len(x)), -np.inf)
    columns = (mesh.vertices[:, 0] - x[0]) / (x[1] - x[0])
    rows = (mesh.vertices[:, 1] - y[0]) / (y[1] - y[0])
    _fill_heights(columns, rows, mesh.vertices[:, 2].copy(), mesh.triangles, z)
    return HeightField(x, y, np.where(np.isfinite(z), z, np.nan))


@njit(cache=True)
def _fill_heights(columns, rows, heights, triangles, z):
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        area = (columns[j] - columns[i]) * (rows[k] - rows[i]) - (rows[j] - rows[i]) * (columns[k] - columns[i])
        if area == 0:
            continue
        left, right = min(columns[i], columns[j], columns[k]), max(columns[i], columns[j], columns[k])
        top, bottom = min(rows[i], rows[j], rows[k]), max(rows[i], rows[j], rows[k])
        for row in range(max(0, int(np.ceil(top))), min(z.shape[0] - 1, int(np.floor(bottom))) + 1):
            for column in range(max(0, int(np.ceil(left))), min(z.shape[1] - 1, int(np.floor(right))) + 1):
                b = (column - columns[i]) * (rows[k] - rows[i]) - (row - rows[i]) * (columns[k] - columns[i])
                c = (columns[j] - columns[i]) * (row - rows[i]) - (rows[j] - rows[i]) * (column - columns[i])
                b, c = b / area, c / area
                # A little outside counts too, so that no grid point falls between two triangles.
                if b >= -1e-9 and c >= -1e-9 and b + c <= 1 + 1e-9:
                    height = heights[i] + b * (heights[j] - heights[i]) + c * (heights[k] - heights[i])
                    z[row, column] = max(z[row, column], height)


def height_field_mesh(field: HeightField, longest_step: float = np.inf) -> TriangleMesh:
    """The grid as a mesh; each cell is cut along the shorter of its diagonals in space.

    Args:
        longest_step: cells with a larger difference of height between two corners are left out, as they hang over.

    Returns:
        the mesh of all whole cells, counterclockwise seen from +z.

    Raises:
        MeshError: no whole cell.
    """
    points = np.stack([*np.meshgrid(field.x, field.y), field.z], axis=-1)
    corners = np.stack([points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]], axis=2)
    height = corners[..., 2]
    whole = np.isfinite(height).all(axis=2)
    whole &= np.where(whole, np.ptp(np.where(whole[..., None], height, 0.0), axis=2) <= longest_step, False)
    if not whole.any():
        raise MeshError("the surface covers no whole cell of the grid; sample more finely or elsewhere")
    i = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    a, b, c, d = (part[whole] for part in (i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]))
    cell = corners[whole]
    falling = np.linalg.norm(cell[:, 0] - cell[:, 2], axis=1) <= np.linalg.norm(cell[:, 1] - cell[:, 3], axis=1)
    first = np.where(falling[:, None], np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(falling[:, None], np.stack([a, c, d], 1), np.stack([b, c, d], 1))
    triangles = np.stack([first, second], axis=1).reshape(-1, 3)
    used, compact = np.unique(triangles, return_inverse=True)
    return TriangleMesh(points.reshape(-1, 3)[used], compact.reshape(-1, 3).astype(np.int32))
