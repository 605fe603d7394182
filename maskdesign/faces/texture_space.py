"""The square that a head's texture lies in: values at vertices over its texels, distances, gaps filled.

Convention: the layout of the head model's uv.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.head_model import cap_rows, load_head_model

SIZE_PX = 1024


@lru_cache(maxsize=1)
def _texels() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each texel the vertices of its triangle (SIZE, SIZE, 3) and their weights; weights 0 outside of the head."""
    from matplotlib.tri import Triangulation

    model = load_head_model()
    triangles = model.refined[~cap_rows(model)]
    steps = (np.arange(SIZE_PX) + 0.5) / SIZE_PX
    at = np.stack(np.meshgrid(steps, steps), axis=-1)
    finder = Triangulation(model.uv[:, 0], model.uv[:, 1], triangles).get_trifinder()
    found = np.asarray(finder(at[..., 0], at[..., 1]), dtype=np.int64)
    corners = triangles[found]
    a, b, c = (model.uv[corners[..., k]] for k in range(3))
    second, third = _cross(at - a, c - a) / _cross(b - a, c - a), _cross(b - a, at - a) / _cross(b - a, c - a)
    weights = np.stack([1 - second - third, second, third], axis=-1) * (found >= 0)[..., None]
    return corners, weights.astype(np.float32)


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def interpolate(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """(SIZE, SIZE, c): values at the vertices, linear between them over the texture, 0 outside of the head."""
    corners, weights = _texels()
    columns = [
        sum(weights[..., k] * column[corners[..., k]] for k in range(3)) for column in values.T.astype(np.float32)
    ]
    return np.stack(columns, axis=-1)


def pull_push(colors: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill a picture smoothly from where it is known.

    Gortler et al. 1996, "The Lumigraph", section 3.6: average what is known down a pyramid, then fill gaps from the
    coarser level up.

    Args:
        colors: (N, N, c), N a power of two.
        weight: (N, N) in [0, 1], 0 where unknown.

    Returns:
        (N, N, c): `colors` where the weight is 1, a smooth continuation where it is 0.
    """
    import cv2

    if len(colors) == 1:
        return colors
    half = tuple(length // 2 for length in weight.shape)
    total = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    mixed = cv2.resize(colors * weight[..., None], half, interpolation=cv2.INTER_AREA).reshape(*half, -1)
    coarse = pull_push(mixed / np.maximum(total, 1e-6)[..., None], np.minimum(4 * total, 1))
    finer = cv2.resize(coarse, weight.shape, interpolation=cv2.INTER_CUBIC).reshape(colors.shape)
    return finer + weight[..., None] * (colors - finer)


def depth_inside(oval_px: NDArray[np.float64]) -> NDArray[np.float32]:
    """(SIZE, SIZE) distance to the oval in texels, negative outside."""
    import cv2

    inside = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    cv2.fillPoly(inside, [np.rint(oval_px).astype(np.int32)], (1,))
    return cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
