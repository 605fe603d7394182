"""The key points of a sheet and their triangulation: outline and folds are edges, the rest is spread evenly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import PatternError
from maskdesign.geometry.refine import RUPPERT_DEG, PlanarMesh, refine, triangulate
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sheet import fine_grid

PAPER_COUNT = 428
"""Key points of the PrivacyMask paper, section 3.2."""


@dataclass(frozen=True)
class KeyPoints:
    """Points of the flat sheet, mirror symmetric about its middle.

    Attributes:
        sheet_mm: (n, 2), outline and folds first.
        edges: (m, 2) int32 along the outline and the folds.
        line: (m,) int8 what each edge lies on: 0 the outline, k the k-th fold from the top.

    Convention: sheet millimeters, u right and v down.
    """

    sheet_mm: NDArray[np.float64]
    edges: NDArray[np.int32]
    line: NDArray[np.int8]


def key_points(pattern: MaskPattern, count: int = PAPER_COUNT) -> KeyPoints:
    """Points on the outline and the folds, and between them the grid points farthest from all others.

    Gonzalez 1985, "Clustering to minimize the maximum intercluster distance", for the points between.

    Args:
        count: how many in all.

    Raises:
        PatternError: too few for the outline and the folds, or more than the pattern's grid has.
    """
    candidates = fine_grid(pattern).sheet_mm
    if count > len(candidates):
        raise PatternError(f"{count} key points exceed the {len(candidates)} points of the grid; take fewer")
    points, edges, line = _frame(pattern, np.sqrt(pattern.width_mm * pattern.height_mm / count) * 1.2)
    if count < len(points):
        raise PatternError(f"{count} key points are too few: outline and folds alone take {len(points)}")
    return KeyPoints(_spread(pattern, points, candidates, count), edges, line)


def _frame(pattern: MaskPattern, spacing_mm: float) -> tuple[NDArray, NDArray, NDArray]:
    heights = [0.0, *(v for v, _ in pattern.fold_rows_mm), pattern.height_mm]
    halves = max(1, round(pattern.width_mm / 2 / spacing_mm))
    u = np.linspace(0, pattern.width_mm, 2 * halves + 1)
    rows = [np.column_stack([u, np.full(len(u), v)]) for v in heights]
    index = np.arange(len(rows) * len(u)).reshape(len(rows), len(u))
    points, edges, line = [np.concatenate(rows)], [], []
    count = index.size
    for number, row in enumerate(index):
        edges.append(np.stack([row[:-1], row[1:]], axis=1))
        line += [number % (len(rows) - 1)] * (len(u) - 1)
    for upper in range(len(rows) - 1):
        steps = max(1, round((heights[upper + 1] - heights[upper]) / spacing_mm))
        v = np.linspace(heights[upper], heights[upper + 1], steps + 1)[1:-1]
        for column in (0, -1):
            points.append(np.column_stack([np.full(len(v), u[column]), v]))
            chain = [index[upper, column], *range(count, count + len(v)), index[upper + 1, column]]
            edges.append(np.stack([chain[:-1], chain[1:]], axis=1))
            line += [0] * (len(chain) - 1)
            count += len(v)
    return np.concatenate(points), np.concatenate(edges).astype(np.int32), np.array(line, np.int8)


def _spread(pattern: MaskPattern, points: NDArray, candidates: NDArray, count: int) -> NDArray[np.float64]:
    chosen = list(points)
    # One of each mirrored pair stands for both.
    left = candidates[candidates[:, 0] <= pattern.width_mm / 2 + 1e-9]
    mirrored = left * [-1, 1] + [pattern.width_mm, 0]
    middle = abs(left[:, 0] - mirrored[:, 0]) < 1e-9
    distance = np.min([np.hypot(*(left - point).T) for point in points], axis=0)
    # A pair must not come nearer to each other than to the rest.
    apart = np.where(middle, np.inf, abs(left[:, 0] - mirrored[:, 0]))
    while len(chosen) < count:
        single = count - len(chosen) == 1
        best = int(np.where(single & ~middle, -1.0, np.minimum(distance, apart)).argmax())
        pair = left[best : best + 1] if middle[best] else np.stack([left[best], mirrored[best]])
        chosen += list(pair)
        for point in pair:
            distance = np.minimum(distance, np.hypot(*(left - point).T))
    return np.array(chosen)


def key_mesh(keys: KeyPoints, min_angle_deg: float | None = RUPPERT_DEG) -> PlanarMesh:
    """Constrained Delaunay triangulation of the key points, folds kept as edges.

    Args:
        min_angle_deg: points are added until no angle is smaller; None adds none.

    Returns:
        points in sheet millimeters; `constraint` counts in `keys.edges`.

    Convention: triangles counterclockwise seen from the printed side, though v points down.

    Raises:
        MeshError: the angle cannot be reached.
    """
    up = keys.sheet_mm * [1, -1]
    mesh = triangulate(up, keys.edges) if min_angle_deg is None else refine(up, keys.edges, min_angle_deg)
    return replace(mesh, points=mesh.points * [1, -1])
