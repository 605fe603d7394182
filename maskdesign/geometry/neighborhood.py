"""How well a surface laid out flat keeps its neighborhoods: equation 4 of the paper on masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.geometry.align import apply_similarity, fit_similarity

STEPS = (-1, 0, 1)


def neighborhood_distance(
    points: NDArray[np.float64], flat: NDArray[np.float64], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Largest distance between a place on the flat surface and the neighborhood of its point in space.

    d_xy = max over delta in {-1, 0, 1} of || p_uv - p_(x + delta, y + delta, z + delta) || (equation 4, section 3.2).
    The paper leaves open in which frame the two are compared. Here the flat surface is laid into space by the
    similarity that takes it nearest to the points, its third coordinate 0, and the neighbors are those of the grid on
    which the surface was sampled, so that a delta steps along the diagonal of the grid and takes x, y and z with it.

    Args:
        points: (R, C, 3) samples of the surface in space.
        flat: (R, C, 2) where each sample lies on the flat surface, in any unit.
        valid: (R, C) which samples exist.

    Returns:
        (R, C) distance in the unit of `points`; nan where a sample or none of its neighbors exists.
    """
    lifted = np.concatenate([flat, np.zeros((*flat.shape[:2], 1))], axis=2)
    laid = apply_similarity(fit_similarity(lifted[valid], points[valid]), lifted.reshape(-1, 3)).reshape(points.shape)
    rows, columns = valid.shape
    padded = np.pad(points, ((1, 1), (1, 1), (0, 0)))
    exists = np.pad(valid, 1)
    worst = np.full(valid.shape, -np.inf)
    for step in STEPS:
        window = (slice(1 + step, 1 + step + rows), slice(1 + step, 1 + step + columns))
        distance = np.linalg.norm(laid - padded[window], axis=2)
        worst = np.where(exists[window], np.maximum(worst, distance), worst)
    return np.where(valid, worst, np.nan)


def neighborhood_stretch(
    points: NDArray[np.float64], flat: NDArray[np.float64], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How much longer or shorter the steps to the grid's neighbors are on the flat surface than in space.

    The frame-free side of equation 4: 1 everywhere for a surface that unrolls without strain.

    Args:
        points: (R, C, 3) samples of the surface in space.
        flat: (R, C, 2) their places on the flat surface, in the same unit.
        valid: (R, C) which samples exist.

    Returns:
        (R, C) largest ratio (>= 1) of the two lengths over the steps right and down; nan where there is no such step.
    """
    worst = np.full(valid.shape, np.nan)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        in_space = np.linalg.norm(points[there] - points[here], axis=2)
        on_flat = np.linalg.norm(flat[there] - flat[here], axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.maximum(on_flat / in_space, in_space / on_flat)
        usable = valid[here] & valid[there] & (in_space > 0) & (on_flat > 0)
        worst[here] = np.fmax(worst[here], np.where(usable, ratio, np.nan))
    return worst
