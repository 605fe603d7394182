"""Landmarks of a photo turned upright and given a size: the pose is taken out, irises or pupils set the scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.head_model import HeadModel
from maskdesign.faces.landmarks import LEFT_IRIS, RIGHT_IRIS
from maskdesign.geometry.align import Similarity, apply_similarity, fit_similarity

IRIS_MM = 11.7
MIN_IRIS_PX = 15.0
SIZE_RANGE = (0.9, 1.1)
"""Adult faces relative to the canonical size, two standard deviations; an iris measured beyond them is a squint."""
DEPTH_FACTORS = np.linspace(0.8, 1.25, 10)
SYMMETRY = 0.5
"""How far depth is drawn towards its mirror image; 1 = symmetric."""


def frontalize(model: HeadModel, landmarks_px: NDArray[np.float64]) -> tuple[Similarity, NDArray[np.float64]]:
    """Take the head's pose out of landmarks.

    mediapipe's depth is relative and flattens or deepens with the pose: the factor on z that makes the landmarks most
    similar to the canonical face is applied first. Depth is then drawn halfway to its mirror image, because the far
    side of a turned head is guessed.

    Args:
        model: the built-in head.
        landmarks_px: (478, 3) as in `FaceDetection`.

    Returns:
        The similarity from (x, -y, -z) in pixels to the canonical frame, and the (478, 3) landmarks there.
    """
    canonical, points = model.canonical_mm, landmarks_px * [1, -1, -1]
    candidates = []
    for depth in DEPTH_FACTORS:
        deep = points * [1, 1, depth]
        similarity = fit_similarity(deep[:468], canonical[:468])
        candidates.append((np.square(apply_similarity(similarity, deep[:468]) - canonical[:468]).sum(), depth))
    depth = min(candidates)[1]
    upright = apply_similarity(fit_similarity(points[:468] * [1, 1, depth], canonical[:468]), points * [1, 1, depth])
    mirrored = upright[model.mirror, 2]
    upright[:, 2] += SYMMETRY / 2 * (mirrored - upright[:, 2])
    return fit_similarity(points[:468], upright[:468]), upright


def size_factor(
    seen: Sequence[tuple[NDArray[np.float64], Similarity]],
    weights: NDArray[np.float64],
    upright: NDArray[np.float64],
    ipd_mm: float | None,
) -> tuple[float, str]:
    """What canonical millimeters must be multiplied by, and why: the pupils' distance where given, else irises.

    Args:
        seen: of each photo the (478, 3) landmarks, as in `FaceDetection`, and the head's pose.
        weights: (n,) what each photo counts for.
        upright: (478, 3) landmarks of all photos together in the canonical frame.
        ipd_mm: distance between the pupils, where known.

    Returns:
        the factor, 1 where no iris is large enough, and "interpupillary distance given", "iris" or "canonical".
    """
    if ipd_mm is not None:
        pupils = upright[[LEFT_IRIS[0], RIGHT_IRIS[0]], :2]
        return float(ipd_mm / np.linalg.norm(pupils[1] - pupils[0])), "interpupillary distance given"
    factors, counts = [], []
    for (landmarks_px, pose), weight in zip(seen, weights, strict=True):
        width_px = np.mean([iris_width_px(landmarks_px, pose, iris) for iris in (LEFT_IRIS, RIGHT_IRIS)])
        if width_px >= MIN_IRIS_PX:
            factors.append(IRIS_MM / (width_px * pose.scale))
            counts.append(weight)
    if not factors:
        return 1.0, "canonical"
    return float(np.clip(np.average(factors, weights=counts), *SIZE_RANGE)), "iris"


def iris_width_px(landmarks_px: NDArray[np.float64], pose: Similarity, iris: tuple[int, ...]) -> float:
    """The level diameter of an iris as it would appear from the front; lids hide the upright one.

    Args:
        landmarks_px: (478, 3) as in `FaceDetection`.
        pose: the head's pose in the photo.
        iris: `LEFT_IRIS` or `RIGHT_IRIS`.
    """
    apparent = np.linalg.norm(landmarks_px[iris[1], :2] - landmarks_px[iris[3], :2])
    foreshortening = np.linalg.norm(pose.R[0, :2])
    return float(apparent / foreshortening)
