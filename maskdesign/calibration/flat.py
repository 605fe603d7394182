"""Photos or scans of the flat sheet -> lens, print scale and stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board, inner_corners_mm
from maskdesign.calibration.identify import identify, look
from maskdesign.calibration.saddle import paper_brightness
from maskdesign.calibration.smooth import name_smoothly

LEAST_CORNERS = 12
FLAT_CELL = 0.06
"""Largest median distance from a smooth map, as a share of a cell, at which a sheet counts as lying flat."""
SMOOTH_NOISE_PX = 0.3
SURE_RATIO = 0.005
"""Standard deviation of the stretch up to which it is reported."""


@dataclass(frozen=True)
class FlatCorners:
    """Corners of a flat board in one photo.

    Attributes:
        index: (m,) inner corner, row by row.
        points_px: (m, 2).
        residual_px: root mean square distance from the best perspective map of a plane.
        mirrored: whether the board is seen in a mirror.
        angle_deg: where its rows run, clockwise from the right.
    """

    index: NDArray[np.int64]
    points_px: NDArray[np.float64]
    residual_px: float
    mirrored: bool
    angle_deg: float


@dataclass(frozen=True)
class Lens:
    """A lens and what the flat photos say of the print.

    Attributes:
        focal_px: over the photos' size; `focal_sigma_px` its standard deviation.
        distortion: k1 of the radial model x (1 + k1 r^2), r in focal lengths.
        center_px: middle of the photos.
        stretch: printed length along u over that along v, as drawn = 1; None where the photos do not tell.
        stretch_sigma: its standard deviation.
        residual_px: root mean square.
    """

    focal_px: float
    focal_sigma_px: float
    distortion: float
    center_px: tuple[float, float]
    stretch_sigma: float
    residual_px: float
    stretch: float | None = None


def read_flat(pixels: NDArray[np.uint8], board: Board) -> FlatCorners | None:
    """The corners of a board that lies flat; None where the photo shows too few or they lie on no plane.

    Coded boards may be cut off and lie any way round; a plain one has to be seen whole, for only its outline tells
    its corners apart, and then upright or upside down are the same.
    """
    index, points, mirrored, angle = _coded(pixels, board) if board.coded else _plain(pixels, board)
    if len(index) < LEAST_CORNERS:
        return None
    cell_px = np.median(np.hypot(*(points[1:] - points[:-1]).T))
    near = _on_plane(board, index, points, max(2.0, FLAT_CELL * cell_px))
    if near is None or near.mean() < 0.9 or near.sum() < LEAST_CORNERS:
        return None
    index, points = index[near], points[near]
    residual = _plane_residual(board, index, points)
    return FlatCorners(index, points, float(np.sqrt((residual**2).sum(axis=1).mean())), mirrored, angle)


def _coded(pixels: NDArray[np.uint8], board: Board) -> tuple[NDArray, NDArray, bool, float]:
    sight = look(pixels)
    named = identify(sight, board)
    if named.mirrored:
        index = named.corner[:, 0] * (board.columns - 1) + named.corner[:, 1]
        return index, sight.saddles.points_px[named.saddle], True, named.angle_deg
    found = name_smoothly(sight, board, named, paper_brightness(pixels))
    order = np.argsort(found.index)
    return found.index[order], found.points_px[order], False, named.angle_deg


def _plain(pixels: NDArray[np.uint8], board: Board) -> tuple[NDArray, NDArray, bool, float]:
    import cv2

    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    size = (board.columns - 1, board.rows - 1)
    found, points = cv2.findChessboardCornersSB(gray, size, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
    if not found:
        return np.zeros(0, np.int64), np.zeros((0, 2)), False, 0.0
    corners = points.reshape(-1, 2).astype(np.float64) + 0.5
    along = corners[board.columns - 2] - corners[0]
    return np.arange(size[0] * size[1]), corners, False, float(np.degrees(np.arctan2(along[1], along[0])))


def _on_plane(board: Board, index: NDArray, points: NDArray, reach_px: float) -> NDArray[np.bool_] | None:
    import cv2

    drawn = inner_corners_mm(board).reshape(-1, 2)[index]
    homography, inliers = cv2.findHomography(drawn, points, cv2.RANSAC, reach_px)
    return None if homography is None else inliers.ravel() > 0


def _plane_residual(board: Board, index: NDArray, points: NDArray) -> NDArray[np.float64]:
    import cv2

    drawn = inner_corners_mm(board).reshape(-1, 2)[index]
    homography, _ = cv2.findHomography(drawn, points, 0)
    mapped = cv2.perspectiveTransform(drawn[:, None], homography)[:, 0]
    return np.array(mapped, np.float64) - np.array(points, np.float64)


def fit_lens(board: Board, photos: Sequence[FlatCorners], width_px: int, height_px: int) -> Lens:
    """Focal length, radial distortion and stretch by least squares over flat photos of one size and zoom.

    A photo taken straight from the front says nothing of the focal length and all of the stretch; a slanted one says
    something of both. The standard deviations tell; give several photos from different sides.
    """
    from scipy.optimize import least_squares

    center = np.array([width_px / 2, height_px / 2])
    drawn = inner_corners_mm(board).reshape(-1, 2) - inner_corners_mm(board).reshape(-1, 2).mean(axis=0)
    start_focal = 1.1 * max(width_px, height_px)
    first = [np.log(start_focal), 0.0, 0.0]
    for photo in photos:
        first += list(_pose_start(drawn[photo.index], photo.points_px, start_focal, center))

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [
            (_project(drawn[p.index], values[:3], values[3 + 6 * k : 9 + 6 * k], center) - p.points_px).ravel()
            for k, p in enumerate(photos)
        ]
        # Weak: phones have focal lengths of 0.6 to 2 times the longer side, and lenses hardly bend the middle.
        prior = [(values[0] - np.log(start_focal)) / 0.4, values[1] / 0.05, values[2] / 0.05]
        return np.concatenate([*parts, 0.2 * np.array(prior)])

    solved = least_squares(residuals, first, x_scale="jac", loss="soft_l1", f_scale=1.0)
    count = sum(len(photo.index) for photo in photos)
    rms = float(np.sqrt((residuals(solved.x)[: 2 * count] ** 2).sum() / count))
    covariance = np.linalg.pinv(solved.jac.T @ solved.jac) * max(rms**2 / 2, SMOOTH_NOISE_PX**2 / 10)
    sigma = np.sqrt(np.diag(covariance)[:3])
    return Lens(
        focal_px=float(np.exp(solved.x[0])),
        focal_sigma_px=float(np.exp(solved.x[0]) * sigma[0]),
        distortion=float(solved.x[1]),
        center_px=(float(center[0]), float(center[1])),
        stretch=float(np.exp(solved.x[2])) if sigma[2] <= SURE_RATIO else None,
        stretch_sigma=float(sigma[2]),
        residual_px=rms,
    )


def _pose_start(drawn: NDArray, points: NDArray, focal_px: float, center: NDArray) -> NDArray[np.float64]:
    import cv2

    K = np.array([[focal_px, 0, center[0]], [0, focal_px, center[1]], [0, 0, 1.0]])
    flat = np.column_stack([drawn, np.zeros(len(drawn))])
    _, rotation, translation = cv2.solvePnP(flat, points, K, np.zeros(5), flags=cv2.SOLVEPNP_IPPE)
    return np.concatenate([rotation[:, 0], translation[:, 0]]).astype(np.float64)


def _project(drawn: NDArray, lens: NDArray, pose: NDArray, center: NDArray) -> NDArray[np.float64]:
    import cv2

    stretched = drawn * [np.exp(lens[2] / 2), np.exp(-lens[2] / 2)]
    R = np.asarray(cv2.Rodrigues(pose[:3])[0], np.float64)
    in_camera = np.column_stack([stretched, np.zeros(len(drawn))]) @ R.T + pose[3:]
    ideal = in_camera[:, :2] / np.maximum(in_camera[:, 2:], 1e-6)
    bent = ideal * (1 + lens[1] * (ideal**2).sum(axis=1, keepdims=True))
    return bent * np.exp(lens[0]) + center


def scan_scale(board: Board, corners: FlatCorners, dpi: float) -> tuple[float, float]:
    """Printed over drawn length along u and v, from a scan of known resolution (an affine map, no perspective)."""
    drawn = inner_corners_mm(board).reshape(-1, 2)[corners.index]
    design = np.column_stack([drawn, np.ones(len(drawn))])
    solution, *_ = np.linalg.lstsq(design, corners.points_px * 25.4 / dpi, rcond=None)
    return float(np.hypot(*solution[0])), float(np.hypot(*solution[1]))


def undistort(pixels: NDArray[np.uint8], lens: Lens) -> NDArray[np.uint8]:
    """The photo as a lens without distortion would have taken it."""
    import cv2

    if abs(lens.distortion) < 1e-4:
        return pixels
    # OpenCV's pixel centers stand at whole numbers.
    x, y = lens.center_px
    K = np.array([[lens.focal_px, 0, x - 0.5], [0, lens.focal_px, y - 0.5], [0, 0, 1.0]])
    return np.asarray(cv2.undistort(pixels, K, np.array([lens.distortion, 0, 0, 0, 0])), np.uint8)
