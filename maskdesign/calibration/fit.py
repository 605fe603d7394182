"""Least squares: which opening, placement and poses of the camera put the drape's corners on those of the photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.drapes import DrapeFamily, at_node
from maskdesign.render.camera import FACE_TO_CAMERA, PinholeCamera, project_points

LEAST_POINTS = 8
STARTS_MM = (450.0, 900.0)
PLACEMENT_PRIOR_MM = 5.0
OPENING_MODEL_MM, PLACEMENT_MODEL_MM = 1.0, 2.2
"""How far a fit was off, one standard deviation, on photos rendered for tuning: drapes between those of the family are
not quite their mean. The corners of one photo agree with a wrong drape, too, and alone would claim a tenth of it."""
FOCAL_PRIOR = 0.25
"""How far a focal length may be from the guess of a photo that tells none, as a share, one standard deviation."""


@dataclass(frozen=True)
class View2D:
    """What one photo says.

    Attributes:
        index: (n,) which of the family's points.
        points_px: (n, 2).
        width_px, height_px: of the photo.
        focal_px: of the lens, or a guess.
        focal_known: whether it is more than a guess.
    """

    index: NDArray[np.int64]
    points_px: NDArray[np.float64]
    width_px: int
    height_px: int
    focal_px: float
    focal_known: bool = False


@dataclass(frozen=True)
class DrapeFit:
    """The result.

    Attributes:
        asked_mm: opening in the family's own scale.
        opening_mm: opening as `DrapeReport` measures it.
        placement_mm: shift of the nose's place on the sheet.
        cameras: one a photo, in the face frame.
        residual_px: one (n, 2) array a photo, predicted minus seen.
        opening_sigma_mm, placement_sigma_mm: standard deviations: of the model, and from the curvature of the sum of
            squares.
    """

    asked_mm: float
    opening_mm: float
    placement_mm: float
    cameras: tuple[PinholeCamera, ...]
    residual_px: tuple[NDArray[np.float64], ...]
    opening_sigma_mm: float
    placement_sigma_mm: float


def fit_drape(
    family: DrapeFamily, points: NDArray[np.float64], views: Sequence[View2D], scale_px: float, start: DrapeFit | None
) -> DrapeFit | None:
    """Fit all photos together; opening and placement are common, each photo has its own pose and focal length.

    Args:
        family: the drapes.
        points: (A, B, N, 3) the corners at each node.
        views: at least one.
        scale_px: residuals beyond it count less and less (Cauchy).
        start: an earlier fit of the same photos.

    Returns:
        the fit, or None where a photo has too few corners or finds no pose.
    """
    from scipy.optimize import least_squares

    if any(len(view.index) < LEAST_POINTS for view in views):
        return None
    first = _start(family, points, views) if start is None else _parameters(start)
    if first is None:
        return None
    solved = least_squares(
        _residuals, first, loss="cauchy", f_scale=scale_px, x_scale=_scales(len(views)), args=(family, points, views)
    )
    return _read(family, points, views, solved.x, solved.jac, scale_px)


def _scales(count: int) -> NDArray[np.float64]:
    return np.array([5.0, 2.0] + count * [0.05, 0.05, 0.05, 5.0, 5.0, 20.0, 0.05])


def _parameters(fit: DrapeFit) -> NDArray[np.float64]:
    import cv2

    values = [fit.asked_mm, fit.placement_mm]
    for camera in fit.cameras:
        values += [*cv2.Rodrigues(camera.R)[0][:, 0], *camera.T, np.log(camera.K[0, 0])]
    return np.array(values)


def _start(family: DrapeFamily, points: NDArray[np.float64], views: Sequence[View2D]) -> NDArray[np.float64] | None:
    import cv2

    middle = (len(family.asked_mm) // 2, len(family.placement_mm) // 2)
    values = [family.asked_mm[middle[0]], family.placement_mm[middle[1]]]
    for view in views:
        found, rotation, translation, _ = cv2.solvePnPRansac(
            points[middle][view.index],
            view.points_px,
            _intrinsics(view, view.focal_px),
            np.zeros(5),
            rvec=cv2.Rodrigues(FACE_TO_CAMERA)[0],
            tvec=np.array([[0.0], [0.0], [600.0]]),
            useExtrinsicGuess=True,
            reprojectionError=0.02 * max(view.width_px, view.height_px),
            iterationsCount=300,
        )
        if not found or translation[2, 0] <= 0:
            return None
        values += [*rotation[:, 0], *translation[:, 0], np.log(view.focal_px)]
    return np.array(values)


def _intrinsics(view: View2D, focal_px: float) -> NDArray[np.float64]:
    return np.array([[focal_px, 0.0, view.width_px / 2], [0.0, focal_px, view.height_px / 2], [0.0, 0.0, 1.0]])


def _camera(view: View2D, values: NDArray[np.float64]) -> PinholeCamera:
    import cv2

    R = np.asarray(cv2.Rodrigues(values[:3])[0], np.float64)
    focal_px = float(np.exp(np.clip(values[6], 3.0, 12.0)))
    return PinholeCamera(R, values[3:6].copy(), _intrinsics(view, focal_px), view.width_px, view.height_px)


def _residuals(
    values: NDArray[np.float64], family: DrapeFamily, points: NDArray[np.float64], views: Sequence[View2D]
) -> NDArray[np.float64]:
    surface = at_node(family, points, values[0], values[1])
    parts = []
    for number, view in enumerate(views):
        own = values[2 + 7 * number : 9 + 7 * number]
        apart = project_points(_camera(view, own), surface[view.index])[:, :2] - view.points_px
        # In pixels, as many as a tenth of the corners would weigh: a nudge where the corners leave the choice.
        prior = (own[6] - np.log(view.focal_px)) / (0.01 if view.focal_known else FOCAL_PRIOR)
        parts += [np.clip(apart, -1e4, 1e4).ravel(), [prior]]
    # Weak: a mask sits where its pattern says within some millimeters, and drapes beyond the family are not known.
    parts.append([2 * _beyond(family.asked_mm, values[0]), 2 * _beyond(family.placement_mm, values[1])])
    parts.append([(values[1] - family.placement_mm.mean()) / PLACEMENT_PRIOR_MM])
    return np.concatenate(parts)


def _beyond(nodes: NDArray[np.float64], x: float) -> float:
    return max(0.0, nodes[0] - x, x - nodes[-1])


def _read(
    family: DrapeFamily,
    points: NDArray[np.float64],
    views: Sequence[View2D],
    values: NDArray[np.float64],
    jacobian: NDArray[np.float64],
    scale_px: float,
) -> DrapeFit:
    cameras = tuple(_camera(view, values[2 + 7 * n : 9 + 7 * n]) for n, view in enumerate(views))
    surface = at_node(family, points, values[0], values[1])
    residuals = tuple(
        project_points(camera, surface[view.index])[:, :2] - view.points_px
        for camera, view in zip(cameras, views, strict=True)
    )
    spread = max(float(np.median(np.abs(np.concatenate(residuals)))) * 1.4826, 0.05)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * spread**2
    slope = (np.ptp(family.opening_mm, axis=0) / np.ptp(family.asked_mm)).mean()
    return DrapeFit(
        asked_mm=float(values[0]),
        opening_mm=float(at_node(family, family.opening_mm, values[0], values[1])),
        placement_mm=float(values[1]),
        cameras=cameras,
        residual_px=residuals,
        opening_sigma_mm=float(np.hypot(OPENING_MODEL_MM, np.sqrt(max(covariance[0, 0], 0.0)) * slope)),
        placement_sigma_mm=float(np.hypot(PLACEMENT_MODEL_MM, np.sqrt(max(covariance[1, 1], 0.0)))),
    )
