"""Photos of the worn board -> corners with names, opening, placement and poses, and what of the sheet was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board, inner_corners_mm
from maskdesign.calibration.complete import Matched, look_again, match_saddles
from maskdesign.calibration.drapes import DrapeFamily
from maskdesign.calibration.fit import DrapeFit, View2D, fit_drape
from maskdesign.calibration.identify import Identified, Sight, identify, look
from maskdesign.calibration.predict import Probes, build_probes, corrected, predict, see_fitted
from maskdesign.calibration.saddle import paper_brightness
from maskdesign.faces.scan import FaceScan
from maskdesign.mask.pattern import MaskPattern, panel_of_row
from maskdesign.render.sheet_visibility import SheetVisibility

ROUNDS = (6.0, 3.0, 2.0)
"""Scale in pixels at which residuals begin to count less, round by round."""
PASSES = 3
GUESSED_FOCAL = 1.1
"""Focal length over the longer side of a photo that tells none: phones have 0.7 to 1.5."""


@dataclass(frozen=True)
class WornPhoto:
    """What was found in one photo.

    Attributes:
        pixels: (H, W, 3) the photo.
        identified: what the inks alone say.
        matched: corners after the drape was fitted; every one was seen in this photo.
    """

    pixels: NDArray[np.uint8]
    identified: Identified
    matched: Matched


@dataclass(frozen=True)
class WornReading:
    """Several photos of one mask on one face, read together.

    Attributes:
        photos: one each.
        fit: opening, placement and cameras.
        visibility: what the cameras see of the fitted drape.
    """

    photos: tuple[WornPhoto, ...]
    fit: DrapeFit
    visibility: SheetVisibility


def read_worn(
    photos: Sequence[NDArray[np.uint8]],
    board: Board,
    face: FaceScan,
    family: DrapeFamily,
    focal_px: Sequence[float | None],
) -> WornReading | None:
    """Read photos of a coded board that is worn.

    Args:
        photos: each (H, W, 3) sRGB, distortion taken out where it is known.
        family: drapes on this face.
        focal_px: of each photo's lens, None where nothing is known.

    Returns:
        the reading, or None where a photo shows too few corners of the board to fit anything.
    """
    sights = [look(pixels) for pixels in photos]
    named = [identify(sight, board) for sight in sights]
    views = [
        _first_view(sight, found, board, family.pattern, pixels, focal)
        for sight, found, pixels, focal in zip(sights, named, photos, focal_px, strict=True)
    ]
    probes = build_probes(family, board)
    fit = fit_drape(family, probes.corners, views, ROUNDS[0], None)
    matched: list[Matched] = []
    for number, scale_px in enumerate(ROUNDS[1:]):
        if fit is None:
            return None
        last = number == len(ROUNDS) - 2
        seen = see_fitted(face, family, fit)
        matched = [
            _match(sights[k], board, probes, family, fit, k, seen.seen[k], views[k], photos[k] if last else None)
            for k in range(len(photos))
        ]
        views = [_view(view, found) for view, found in zip(views, matched, strict=True)]
        fit = fit_drape(family, probes.corners, views, scale_px, fit)
    if fit is None:
        return None
    parts = [WornPhoto(*part) for part in zip(photos, named, matched, strict=True)]
    return WornReading(tuple(parts), fit, see_fitted(face, family, fit))


def _first_view(
    sight: Sight, found: Identified, board: Board, pattern: MaskPattern, pixels: NDArray, focal_px: float | None
) -> View2D:
    height, width = pixels.shape[:2]
    sure = ~_behind_folds(board, pattern)[found.corner[:, 0]]
    index = found.corner[:, 0] * (board.columns - 1) + found.corner[:, 1]
    focal = GUESSED_FOCAL * max(width, height) if focal_px is None else focal_px
    points = sight.saddles.points_px[found.saddle]
    return View2D(index[sure], points[sure], width, height, focal, focal_px is not None)


def _behind_folds(board: Board, pattern: MaskPattern) -> NDArray[np.bool_]:
    """Rows of corners that shut pleats hide: where their cells meet in a photo, it may be but the fold."""
    v = inner_corners_mm(board)[:, 0, 1]
    depth = pattern.pleat_depth_mm
    hidden = [(v > fold) & (v < fold + 2 * depth) for fold in pattern.pleat_rows_mm]
    return np.any(hidden, axis=0) if hidden else np.zeros(len(v), bool)


def _view(view: View2D, found: Matched) -> View2D:
    return View2D(found.index, found.points_px, view.width_px, view.height_px, view.focal_px, view.focal_known)


def _match(
    sight: Sight,
    board: Board,
    probes: Probes,
    family: DrapeFamily,
    fit: DrapeFit,
    number: int,
    seen: NDArray[np.bool_],
    view: View2D,
    look_at: NDArray[np.uint8] | None,
) -> Matched:
    prediction = predict(probes, family, board, fit, number, seen)
    layer = panel_of_row(family.pattern, inner_corners_mm(board).reshape(-1, 2)[:, 1])
    near = np.hypot(*fit.residual_px[number].T) < 4 * max(np.median(np.hypot(*fit.residual_px[number].T)), 1.0)
    expected = corrected(prediction, board, layer, view.index[near], view.points_px[near])
    found = match_saddles(sight, board, prediction, expected)
    for _ in range(PASSES):
        if len(found.index):
            expected = corrected(prediction, board, layer, found.index, found.points_px)
            found = match_saddles(sight, board, prediction, expected)
    if look_at is not None and len(found.index):
        expected = corrected(prediction, board, layer, found.index, found.points_px)
        found = look_again(paper_brightness(look_at), board, prediction, expected, found)
        expected = corrected(prediction, board, layer, found.index, found.points_px)
        found = look_again(paper_brightness(look_at), board, prediction, expected, found)
    return found
