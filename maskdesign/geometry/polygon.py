"""Simple polygons: does one cross itself, how far is a point from it, and the one that lies a distance outside."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Ring = tuple[tuple[float, float], ...]
STEP_MM = 0.5
"""Of the grid on which distances are laid out to grow a polygon."""


def polygon_area(ring: NDArray[np.float64]) -> float:
    """Area that a polygon encloses, >= 0, by the trapezoid formula; the last of the (n, 2) points joins the first."""
    following = np.roll(ring, -1, axis=0)
    return abs(float((ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]).sum())) / 2


def crosses_itself(ring: NDArray[np.float64]) -> bool:
    """Whether two sides of a polygon meet anywhere but at the corner they share.

    Args:
        ring: (n, 2), at least three points, all different from their neighbors.
    """
    a, b = ring, np.roll(ring, -1, axis=0)
    low, high = np.minimum(a, b), np.maximum(a, b)
    count = len(ring)
    for i in range(count - 1):
        # The side before the first one shares a corner with it too.
        others = slice(i + 2, count - 1 if i == 0 else count)
        near = ((low[others] <= high[i]) & (high[others] >= low[i])).all(axis=1)
        c, d = a[others][near], b[others][near]
        straddles = (_turn(a[i], b[i], c) * _turn(a[i], b[i], d) <= 0) & (_turn(c, d, a[i]) * _turn(c, d, b[i]) <= 0)
        if straddles.any():
            return True
    ahead, back = b - a, a - np.roll(ring, 1, axis=0)
    flat = ahead[:, 0] * back[:, 1] == ahead[:, 1] * back[:, 0]
    return bool((flat & ((ahead * back).sum(axis=1) < 0)).any())


def _turn(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    ahead, beside = b - a, c - a
    return ahead[..., 0] * beside[..., 1] - ahead[..., 1] * beside[..., 0]


def signed_distance(ring: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of points to a polygon's sides, < 0 inside.

    Args:
        ring: (n, 2).
        points: (m, 2).

    Returns:
        (m,).
    """
    nearest, inside = np.full(len(points), np.inf), np.zeros(len(points), bool)
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        along, offset = b - a, points - a
        t = np.clip(offset @ along / (along @ along), 0, 1)
        nearest = np.minimum(nearest, ((offset - t[:, None] * along) ** 2).sum(axis=1))
        # A ray to the right meets the side where it spans the point's height.
        spans = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= spans & (offset[:, 0] < offset[:, 1] * along[0] / along[1])
    away = np.sqrt(nearest)
    return np.where(inside, -away, away)


@lru_cache(maxsize=16)
def grown(ring: Ring, by_mm: float) -> Ring:
    """The polygon that lies `by_mm` outside of another: a contour of its distance field, true to 0.05 mm.

    Args:
        by_mm: >= 0; outer corners become arcs.
    """
    if by_mm == 0:
        return ring
    from skimage.measure import approximate_polygon, find_contours

    corners = np.array(ring)
    low = corners.min(axis=0) - by_mm - 2 * STEP_MM
    columns, rows = np.ceil((corners.max(axis=0) + by_mm + 2 * STEP_MM - low) / STEP_MM).astype(int) + 1
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * STEP_MM + low
    field = signed_distance(corners, grid.reshape(-1, 2)).reshape(rows, columns)
    longest = max(find_contours(field, by_mm), key=len)
    points = approximate_polygon(longest, 0.02)[:-1, ::-1] * STEP_MM + low
    return tuple((float(x), float(y)) for x, y in points)
