"""Triangles sorted into the boxes of a uniform grid, in numba: what contact and crossings are looked up in."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def fill_boxes(low, high, counts):
    """Which triangles each box holds.

    Args:
        low, high: (T, 3) int64, first and last box of each triangle's bounds along each axis.
        counts: (3,) int64 boxes along each axis.

    Returns:
        starts (boxes + 1,) int64, where a box's triangles begin in members (n,) int32; box (i, j, k) has number
        (i * counts[1] + j) * counts[2] + k.
    """
    total = counts[0] * counts[1] * counts[2]
    starts = np.zeros(total + 1, np.int64)
    for t in range(len(low)):
        for i in range(low[t, 0], high[t, 0] + 1):
            for j in range(low[t, 1], high[t, 1] + 1):
                for k in range(low[t, 2], high[t, 2] + 1):
                    starts[(i * counts[1] + j) * counts[2] + k + 1] += 1
    starts = np.cumsum(starts)
    members, filled = np.zeros(starts[-1], np.int32), starts[:-1].copy()
    for t in range(len(low)):
        for i in range(low[t, 0], high[t, 0] + 1):
            for j in range(low[t, 1], high[t, 1] + 1):
                for k in range(low[t, 2], high[t, 2] + 1):
                    box = (i * counts[1] + j) * counts[2] + k
                    members[filled[box]] = t
                    filled[box] += 1
    return starts, members
