"""Surfaces sampled on a pixel grid: local polynomials, filled holes, triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

POWERS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
"""Powers of column and row in a local quadratic."""
RIDGE = 1e-9
RING_PX = 4
MAX_RING = 150


def local_quadratics(values: NDArray[np.float64], weights: NDArray[np.float64], sigma_px: float) -> NDArray[np.float64]:
    """A quadratic fitted around each pixel, weighted by a Gaussian and by a weight per pixel.

    Cleveland and Devlin 1988, "Locally weighted regression"; all moments are separable convolutions, so a pixel costs
    the same whatever the window.

    Args:
        values: (R, C); whatever where the weight is 0.
        weights: (R, C) >= 0.
        sigma_px: standard deviation of the Gaussian.

    Returns:
        (R, C, 6) coefficients of `POWERS` in units of `sigma_px`: value, slopes, curvatures; 0 where no weight is near.
    """
    reach = int(np.ceil(3 * sigma_px))
    steps = np.arange(-reach, reach + 1) / sigma_px
    kernels = [np.exp(-(steps**2) / 2) * steps**power for power in range(5)]
    seen = weights > 0
    rows, columns = np.nonzero(seen | (_blur(weights, kernels[0], kernels[0]) > 1e-3))
    middle = values[seen].mean() if seen.any() else 0.0
    weighted = weights * np.where(seen, values - middle, 0)
    moments = {
        (p, q): _blur(weights, kernels[p], kernels[q])[rows, columns] for p in range(5) for q in range(5) if p + q <= 4
    }
    right = np.stack([_blur(weighted, kernels[p], kernels[q])[rows, columns] for p, q in POWERS], axis=-1)
    left = np.stack([[moments[p + r, q + s] for r, s in POWERS] for p, q in POWERS])
    left = np.moveaxis(left, -1, 0) + RIDGE * moments[0, 0][:, None, None] * np.eye(6)
    fitted = np.zeros((*values.shape, 6))
    fitted[rows, columns] = np.linalg.solve(left, right[..., None])[..., 0]
    fitted[rows, columns, 0] += middle
    return fitted


def _blur(values: NDArray[np.float64], across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float64]:
    import cv2

    return np.asarray(cv2.sepFilter2D(values, cv2.CV_64F, across, down, borderType=cv2.BORDER_CONSTANT), np.float64)


def enclosed_holes(valid: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Parts of what is not valid that do not reach the edge of the grid: (R, C) labels from 1 on, and how many."""
    from scipy import ndimage

    found: Any = ndimage.label(~valid)
    labels, count = found
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inside = np.setdiff1d(np.arange(1, count + 1), outside)
    renumber = np.zeros(count + 1, np.int32)
    renumber[inside] = np.arange(1, len(inside) + 1)
    return renumber[labels], len(inside)


def nearest_valid(valid: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row and column of the nearest valid sample for each place on the grid, (R, C) each; to be used as an index."""
    from scipy import ndimage

    found: Any = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
    rows, columns = found
    return rows, columns


def fill_hole(points: NDArray[np.float64], valid: NDArray[np.bool_], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values in a hole, continued from the ring around it by a thin-plate spline (Duchon 1977) over the grid.

    Args:
        points: (R, C, d).
        valid: (R, C).
        hole: (R, C), where values are wanted.

    Returns:
        (n, d) values for `np.argwhere(hole)`.
    """
    from scipy.interpolate import RBFInterpolator
    from scipy.ndimage import binary_dilation

    rows, columns = np.nonzero(hole)
    low = np.maximum([rows.min() - RING_PX - 1, columns.min() - RING_PX - 1], 0)
    window = tuple(
        slice(a, b) for a, b in zip(low, (rows.max() + RING_PX + 2, columns.max() + RING_PX + 2), strict=True)
    )
    ring = np.argwhere(np.asarray(binary_dilation(hole[window], iterations=RING_PX), bool) & valid[window]) + low
    ring = ring[:: max(1, -(-len(ring) // MAX_RING))]
    spline = RBFInterpolator(ring, points[ring[:, 0], ring[:, 1]], kernel="thin_plate_spline", smoothing=0.1)
    return spline(np.column_stack([rows, columns]))


def grid_triangles(
    points: NDArray[np.float64], valid: NDArray[np.bool_], max_edge: float
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Two triangles for each cell of the grid whose corners are valid and near one another, cut along the shorter way.

    Args:
        points: (R, C, 3).
        valid: (R, C).
        max_edge: longest edge of a triangle; longer ones would bridge a step from one part to another.

    Returns:
        (V, 2) row and column of each vertex used, and (T, 3) triangles, counterclockwise seen from +z when rows run
        down and columns to the right.
    """
    columns = valid.shape[1]
    index = np.arange(valid.size).reshape(valid.shape)
    a, b, c, d = (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
    flat = points.reshape(-1, 3)
    shorter = np.linalg.norm(flat[a] - flat[c], axis=-1) <= np.linalg.norm(flat[b] - flat[d], axis=-1)
    first = np.where(shorter[..., None], np.stack([a, b, c], -1), np.stack([a, b, d], -1)).reshape(-1, 3)
    second = np.where(shorter[..., None], np.stack([a, c, d], -1), np.stack([b, c, d], -1)).reshape(-1, 3)
    triangles = np.vstack([first, second])
    triangles = triangles[valid.ravel()[triangles].all(axis=1)]
    corners = flat[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    used, renumbered = np.unique(triangles[longest <= max_edge], return_inverse=True)
    return np.column_stack([used // columns, used % columns]), renumbered.reshape(-1, 3).astype(np.int32)
