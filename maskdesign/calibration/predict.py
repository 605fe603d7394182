"""Where the fitted drape puts every corner in a photo, which way its edges run, and whether it is to be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board, inner_corners_mm
from maskdesign.calibration.drapes import DrapeFamily, at_node, points_of_family, worn_between
from maskdesign.calibration.fit import DrapeFit
from maskdesign.faces.scan import FaceScan
from maskdesign.mask.pattern import MaskPattern
from maskdesign.render.camera import project_points
from maskdesign.render.scene import build_scene
from maskdesign.render.sheet_visibility import SheetVisibility, see_sheet

STEP_MM = 2.0
TEXEL_MM = 1.25
NEAR_MM = 1.3
"""A corner may be seen where the model sees any print within this distance: drapes are not exact at folds."""
SMOOTH_MM = 14.0
ON_FOLD_MM = 1.0
"""A corner nearer to a fold than this lies on it."""


@dataclass(frozen=True)
class Probes:
    """The corners and the points around them at every node of a family.

    Attributes:
        corners: (A, B, n, 3).
        beside: (A, B, n, 2, 3) the points `STEP_MM` along u and along v; at the last rows and columns before them.
    """

    corners: NDArray[np.float64]
    beside: NDArray[np.float64]


def build_probes(family: DrapeFamily, board: Board) -> Probes:
    """Look the board's inner corners up on the sheet once."""
    at = inner_corners_mm(board).reshape(-1, 2)
    offsets = np.array([[-STEP_MM, 0], [STEP_MM, 0], [0, -STEP_MM], [0, STEP_MM]])
    around = points_of_family(family, (at[:, None] + offsets).reshape(-1, 2))
    around = around.reshape(*around.shape[:2], len(at), 4, 3)
    return Probes(points_of_family(family, at), around)


@dataclass(frozen=True)
class Prediction:
    """The model's view of one photo.

    Attributes:
        points_px: (n, 2) of every inner corner.
        along_px: (n, 2, 2) pixels per sheet millimeter along u and along v.
        may_show: (n,) whether it may be seen.

    """

    points_px: NDArray[np.float64]
    along_px: NDArray[np.float64]
    may_show: NDArray[np.bool_]


def see_fitted(face: FaceScan, family: DrapeFamily, fit: DrapeFit) -> SheetVisibility:
    """What each photo's camera sees of the fitted drape's sheet."""
    worn = worn_between(family, fit.asked_mm, fit.placement_mm)
    return see_sheet(build_scene(face, worn, family.pattern), worn, family.pattern, fit.cameras, TEXEL_MM)


def predict(
    probes: Probes, family: DrapeFamily, board: Board, fit: DrapeFit, number: int, seen: NDArray[np.bool_]
) -> Prediction:
    """All corners in photo `number`.

    Args:
        seen: (h, w) what that photo's camera sees of the sheet.
    """
    camera = fit.cameras[number]
    corners = at_node(family, probes.corners, fit.asked_mm, fit.placement_mm)
    around = at_node(family, probes.beside, fit.asked_mm, fit.placement_mm)
    points = project_points(camera, corners)[:, :2]
    around_px = project_points(camera, around.reshape(-1, 3))[:, :2].reshape(-1, 4, 2)
    along = np.stack([around_px[:, 1] - around_px[:, 0], around_px[:, 3] - around_px[:, 2]], axis=1) / (2 * STEP_MM)
    near = _seen_near(inner_corners_mm(board).reshape(-1, 2), seen)
    inside = (points > 2).all(axis=1) & (points < [camera.width_px - 2, camera.height_px - 2]).all(axis=1)
    front = along[:, 0, 0] * along[:, 1, 1] - along[:, 0, 1] * along[:, 1, 0] > 0
    return Prediction(points, along, near & inside & front & ~on_fold(board, family.pattern))


def on_fold(board: Board, pattern: MaskPattern) -> NDArray[np.bool_]:
    """(n,) whether a fold runs through a corner: no four cells meet there, only the edge of what hides some of them."""
    v = inner_corners_mm(board).reshape(-1, 2)[:, 1]
    folds = np.array([row for row, _ in pattern.fold_rows_mm])
    return (abs(v[:, None] - folds) < ON_FOLD_MM).any(axis=1)


def _seen_near(at_mm: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    import cv2

    reach = int(np.ceil(NEAR_MM / TEXEL_MM))
    wide = cv2.dilate(seen.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    index = np.clip((at_mm / TEXEL_MM).astype(int), 0, np.array(seen.shape[::-1]) - 1)
    return wide[index[:, 1], index[:, 0]]


def corrected(
    prediction: Prediction, board: Board, layer: NDArray[np.int8], index: NDArray[np.int64], points_px: NDArray
) -> NDArray[np.float64]:
    """Predicted places moved as the corners found nearby on the same panel were: a drape is never exact.

    Args:
        layer: (n,) panel of each corner.
        index: (m,) corners that were found.
        points_px: (m, 2) where.

    Returns:
        (n, 2).
    """
    at = inner_corners_mm(board).reshape(-1, 2)
    apart = ((at[:, None] - at[index]) ** 2).sum(axis=-1)
    weight = np.exp(-apart / (2 * SMOOTH_MM**2)) * np.where(layer[:, None] == layer[index], 1.0, 0.15)
    residual = points_px - prediction.points_px[index]
    # A light pull towards none: far from all that was found, the model is all there is.
    return prediction.points_px + (weight @ residual) / (weight.sum(axis=1, keepdims=True) + 0.05)
