"""A face mesh from the few landmarks that a user reads off a photo: no detector is needed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError
from maskdesign.faces.detect import FaceDetection, check_size
from maskdesign.faces.head_model import load_head_model
from maskdesign.faces.landmarks import LANDMARK_INDEX
from maskdesign.geometry.align import Similarity, apply_similarity

MIN_PLACED = 6
MAX_RESIDUAL = 0.12
"""Root mean square distance of the landmarks from the built-in face's in its best pose, in distances of the eyes."""


def detection_from_points(
    points_px: Mapping[str, NDArray[np.float64]], width_px: int, height_px: int, source: str
) -> FaceDetection:
    """Lay the built-in face over landmarks in a photo: its pose first, from T-Net, then a smooth warp in the plane.

    Args:
        points_px: names of `LANDMARK_INDEX` -> (2,) pixels; others, such as the ears, are left out.
        width_px, height_px: of the photo.
        source: name of the photo, for messages.

    Raises:
        FaceError: fewer than six points, points outside of the photo, no face, or a face under 64 pixels.
    """
    # Brings torch, which most of this room does without.
    from maskdesign.faces.transform_net import head_rotation

    names = [name for name in points_px if name in LANDMARK_INDEX]
    if len(names) < MIN_PLACED:
        raise FaceError(f"{source}: {len(names)} landmarks of the face; give at least {MIN_PLACED}")
    placed = np.stack([points_px[name] for name in names])
    outside = (placed < 0).any(axis=1) | (placed > [width_px, height_px]).any(axis=1)
    if outside.any():
        name = names[int(np.argmax(outside))]
        raise FaceError(f"{source}: {name} lies outside of the {width_px} x {height_px} pixels; give x, y in pixels")
    rows = [LANDMARK_INDEX[name] for name in names]
    canonical = load_head_model().canonical_mm
    pose = _pose_in_picture(canonical[rows], placed * [1, -1], head_rotation(points_px, source))
    posed = apply_similarity(pose, canonical)
    missed = placed * [1, -1] - posed[rows, :2]
    eyes = float(
        np.linalg.norm(canonical[LANDMARK_INDEX["eye_outer_left"]] - canonical[LANDMARK_INDEX["eye_outer_right"]])
    )
    if np.sqrt((missed**2).sum(axis=1).mean()) > MAX_RESIDUAL * eyes * pose.scale:
        raise FaceError(
            f"{source}: the landmarks given are no face; left is the picture's left, x, y run right and down"
        )
    posed[:, :2] += _spread(canonical[rows], missed, canonical)
    landmarks_px = posed * [1, -1, -1]
    check_size(landmarks_px, source)
    return FaceDetection(landmarks_px, source)


def _pose_in_picture(
    points_mm: NDArray[np.float64], placed: NDArray[np.float64], rotation: NDArray[np.float64]
) -> Similarity:
    """The similarity of a given rotation whose x and y come nearest to the points in the picture; z stays around 0."""
    flat = points_mm @ rotation[:2].T
    own, wanted = flat - flat.mean(axis=0), placed - placed.mean(axis=0)
    scale = float(max((own * wanted).sum() / (own**2).sum(), 1e-9))
    return Similarity(scale, rotation, np.append(placed.mean(axis=0) - scale * flat.mean(axis=0), 0.0))


def _spread(known: NDArray[np.float64], moves: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacements known at some points of the face, spread over it by a thin-plate spline (Duchon 1977)."""
    from scipy.interpolate import RBFInterpolator

    return RBFInterpolator(known[:, :2], moves, kernel="thin_plate_spline")(points[:, :2])
