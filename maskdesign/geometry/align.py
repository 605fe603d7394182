"""Similarity alignment of corresponding points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Similarity:
    """x -> scale * R x + t.

    Attributes:
        scale: > 0.
        R: (d, d) rotation, determinant +1.
        t: (d,) translation.
    """

    scale: float
    R: NDArray[np.float64]
    t: NDArray[np.float64]


def fit_similarity(
    source: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> Similarity:
    """The similarity that takes points nearest to their partners in the (weighted) least-squares sense.

    Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI 13(4),
    equations 40 to 43.

    Args:
        source, target: (n, d) partners row by row, not all source points equal.
        weights: (n,) not negative, at least one positive; equal where None.

    Returns:
        The minimizer; never a reflection.
    """
    share = np.ones(len(source)) if weights is None else np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    source_mean, target_mean = share @ source, share @ target
    a, b = source - source_mean, target - target_mean
    U, singular, Vt = np.linalg.svd((b * share[:, None]).T @ a)
    signs = np.ones(source.shape[1])
    signs[-1] = np.sign(np.linalg.det(U @ Vt))
    R = (U * signs) @ Vt
    scale = float((singular * signs).sum() / (share @ (a**2).sum(1)))
    return Similarity(scale, R, target_mean - scale * R @ source_mean)


def apply_similarity(similarity: Similarity, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move points, (n, d) -> (n, d)."""
    return similarity.scale * points @ similarity.R.T + similarity.t
