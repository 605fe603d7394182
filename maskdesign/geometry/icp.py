"""Iterative closest points: one surface moved onto another without known partners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from maskdesign.geometry.align import Similarity, apply_similarity


@dataclass(frozen=True)
class IcpSettings:
    """How points are moved onto a surface.

    Attributes:
        rounds: at most this many.
        trim: share of the points that count, the nearest ones; the rest may lie where the surface has holes or hair.
        scale_range: smallest and largest scale relative to the start; (1, 1) for rigid motion.
        tolerance: stop when the trimmed residual shrinks by less than this share.
    """

    rounds: int = 30
    trim: float = 0.85
    scale_range: tuple[float, float] = (1.0, 1.0)
    tolerance: float = 1e-4


@dataclass(frozen=True)
class IcpResult:
    """Where the points ended.

    Attributes:
        similarity: source -> target.
        residual: root mean square distance to the surface over the trimmed points, in the unit of the target.
        rounds: how many were made.
    """

    similarity: Similarity
    residual: float
    rounds: int


@dataclass(frozen=True)
class Target:
    """A surface as points to search.

    Attributes:
        tree: of the points.
        points: (n, 3).
        normals: (n, 3) unit.
    """

    tree: KDTree
    points: NDArray[np.float64]
    normals: NDArray[np.float64]


def make_target(points: NDArray[np.float64], normals: NDArray[np.float64]) -> Target:
    """Points and unit normals, (n, 3) each, ready to be searched."""
    return Target(KDTree(points), points, normals)


def move_onto(
    source: NDArray[np.float64], target: Target, start: Similarity, settings: IcpSettings | None = None
) -> IcpResult:
    """Move points onto a surface by trimmed ICP with point-to-plane distances.

    Chen and Medioni 1992, "Object modelling by registration of multiple range images"; trimming as Chetverikov et al.
    2002, "The trimmed iterative closest point algorithm".

    Args:
        source: (m, 3).
        target: the surface.
        start: source -> target, roughly right: within about 20 degrees and a tenth of the size.
        settings: the defaults where left out.
    """
    settings = settings or IcpSettings()
    current, residual = start, np.inf
    scales = start.scale * np.asarray(settings.scale_range)
    for done in range(1, settings.rounds + 1):
        moved = apply_similarity(current, source)
        near, partner = target.tree.query(moved)
        kept = near <= np.quantile(near, settings.trim)
        offsets = target.points[partner[kept]] - moved[kept]
        normals = target.normals[partner[kept]]
        before, residual = residual, float(np.sqrt(np.mean((offsets * normals).sum(axis=1) ** 2)))
        if before - residual < settings.tolerance * residual and done > 3:
            break
        current = _step(current, moved[kept], offsets, normals, scales)
    return IcpResult(current, residual, done)


PULL = 0.1
"""Weight of the sideways distance, which keeps flat regions from sliding."""


def _step(
    current: Similarity,
    moved: NDArray[np.float64],
    offsets: NDArray[np.float64],
    normals: NDArray[np.float64],
    scales: NDArray[np.float64],
) -> Similarity:
    """One Gauss-Newton step on rotation, translation and scale about the middle of the points."""
    middle = moved.mean(axis=0)
    arms = moved - middle
    rows = [np.column_stack([np.cross(arms, normals), normals, (arms * normals).sum(axis=1)])]
    right = [(offsets * normals).sum(axis=1)]
    for axis in np.eye(3):
        sideways = np.broadcast_to(axis, arms.shape)
        rows.append(PULL * np.column_stack([np.cross(arms, sideways), sideways, arms @ axis]))
        right.append(PULL * offsets @ axis)
    free = 7 if scales[1] > scales[0] else 6
    A, b = np.vstack(rows)[:, :free], np.concatenate(right)
    change = np.linalg.lstsq(A, b, rcond=None)[0]
    R = Rotation.from_rotvec(change[:3]).as_matrix()
    wanted = current.scale * (1 + change[6]) if free == 7 else current.scale
    growth = float(np.clip(wanted, *scales)) / current.scale
    shift = middle + change[3:6] - growth * R @ middle
    return Similarity(current.scale * growth, R @ current.R, growth * R @ current.t + shift)
