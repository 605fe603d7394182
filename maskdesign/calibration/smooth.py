"""A sheet that is bent but not folded: corners next to named ones are found by going on smoothly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board
from maskdesign.calibration.complete import Matched, look_again, match_saddles
from maskdesign.calibration.identify import Identified, Sight
from maskdesign.calibration.predict import Prediction

REACH_CELLS = 3.3
LEAST_NEIGHBORS = 6
WIDTH_CELLS = 1.8
ROUNDS = 6


def name_smoothly(sight: Sight, board: Board, named: Identified, brightness: NDArray[np.float32]) -> Matched:
    """All corners of a smooth sheet, from those that the inks name outward.

    Each corner with enough named ones around is expected where a quadratic map of them puts it; it counts only where
    the photo shows a saddle with its inks, or the pattern itself, right there.
    """
    index = named.corner[:, 0] * (board.columns - 1) + named.corner[:, 1]
    found = Matched(index, sight.saddles.points_px[named.saddle])
    for number in range(ROUNDS):
        before = len(found.index)
        prediction = _go_on(board, found)
        matched = match_saddles(sight, board, prediction, prediction.points_px)
        new = ~np.isin(matched.index, found.index)
        kept = _agreeing(found, prediction, board)
        found = Matched(
            np.concatenate([found.index[kept], matched.index[new]]),
            np.concatenate([found.points_px[kept], matched.points_px[new]]),
        )
        if number >= 1:
            found = look_again(brightness, board, _go_on(board, found), _go_on(board, found).points_px, found)
        if len(found.index) == before and number > 1:
            break
    return found


def _agreeing(found: Matched, prediction: Prediction, board: Board) -> NDArray[np.bool_]:
    cell_px = board.cell_mm * np.sqrt(abs(np.linalg.det(prediction.along_px[found.index])))
    apart = np.linalg.norm(prediction.points_px[found.index] - found.points_px, axis=1)
    return (apart < np.maximum(0.25 * cell_px, 3.0)) | ~prediction.may_show[found.index]


def _go_on(board: Board, found: Matched) -> Prediction:
    """Every corner by a weighted quadratic map of the named ones around it, itself left out."""
    columns = board.columns - 1
    count = columns * (board.rows - 1)
    places = np.stack(np.divmod(np.arange(count), columns)[::-1], axis=-1).astype(float)
    known = places[found.index]
    points, along, show = np.zeros((count, 2)), np.zeros((count, 2, 2)), np.zeros(count, bool)
    for corner in range(count):
        offset = known - places[corner]
        apart = np.hypot(*offset.T)
        near = (apart <= REACH_CELLS) & (apart > 0)
        x, y = offset[near].T
        if near.sum() < LEAST_NEIGHBORS or min(np.ptp(x), np.ptp(y)) < 1:
            continue
        design = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
        weight = np.exp(-(apart[near] ** 2) / (2 * WIDTH_CELLS**2))[:, None]
        ridge = np.diag([0, 0, 0, 1e-2, 1e-2, 1e-2])
        gram = design.T @ (weight * design) + ridge + 1e-9 * np.eye(6)
        solution = np.linalg.solve(gram, design.T @ (weight * found.points_px[near]))
        points[corner], along[corner], show[corner] = solution[0], solution[1:3] / board.cell_mm, True
    front = along[:, 0, 0] * along[:, 1, 1] - along[:, 0, 1] * along[:, 1, 0] > 0
    return Prediction(points, along, show & front)
