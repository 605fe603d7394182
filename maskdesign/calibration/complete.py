"""Corners matched to the model: saddles that fit a prediction, and a last look where the model expects one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board
from maskdesign.calibration.identify import Sight, ink_loglikelihood, paper_relative
from maskdesign.calibration.predict import Prediction
from maskdesign.calibration.saddle import ring_samples

GATE_CELL = 0.16
"""How far a corner may be from its prediction, as a share of a cell."""
LEAST_GATE_PX = 2.5
UNLIKELY = -5.0
"""Logarithm of how unlikely the inks around a corner may be."""
WINDOW_MM, WINDOW_PX = (3.0, 6.5), 4.5
"""Half of the window of the last look: so many pixels, but no more of the sheet than a corner's four cells."""
HALF = 7
SHIFT_MM = 2.5
BLUR_PX = 1.3
LEAST_PX_PER_MM = 0.35
LEAST_RANGE = 0.12
LEAST_CORRELATION = 0.75


@dataclass(frozen=True)
class Matched:
    """Corners found in one photo.

    Attributes:
        index: (m,) corner, row by row.
        points_px: (m, 2).
    """

    index: NDArray[np.int64]
    points_px: NDArray[np.float64]


def match_saddles(sight: Sight, board: Board, prediction: Prediction, expected_px: NDArray[np.float64]) -> Matched:
    """Saddles that lie where a corner is expected, turned like it, with its inks around; one to one, nearest first.

    Args:
        expected_px: (n, 2) corrected predictions.
    """
    saddles = sight.saddles
    if not len(saddles.points_px):
        return Matched(np.zeros(0, np.int64), np.zeros((0, 2)))
    cell_px = board.cell_mm * np.sqrt(abs(np.linalg.det(prediction.along_px)))
    gate = np.maximum(GATE_CELL * cell_px, LEAST_GATE_PX)
    apart = np.linalg.norm(expected_px[:, None] - saddles.points_px, axis=-1)
    corner, saddle = np.nonzero((apart < gate[:, None]) & prediction.may_show[:, None])
    fits = np.array(
        [_fits(sight, board, prediction, int(c), int(s)) for c, s in zip(corner, saddle, strict=True)], bool
    )
    corner, saddle = corner[fits], saddle[fits]
    taken_corners, taken_saddles, index, points = set(), set(), [], []
    for k in np.argsort(apart[corner, saddle], kind="stable"):
        c, s = int(corner[k]), int(saddle[k])
        if c not in taken_corners and s not in taken_saddles:
            taken_corners.add(c)
            taken_saddles.add(s)
            index.append(c)
            points.append(saddles.points_px[s])
    return Matched(np.array(index, np.int64), np.array(points).reshape(-1, 2))


def _fits(sight: Sight, board: Board, prediction: Prediction, corner: int, saddle: int) -> bool:
    row, column = divmod(corner, board.columns - 1)
    edges = sight.saddles.edges_rad[saddle]
    along_u, along_v = prediction.along_px[corner]
    cells = [(row + 1, column + 1), (row + 1, column), (row, column), (row, column + 1)]
    ways = [along_u + along_v, along_v - along_u, -along_u - along_v, along_u - along_v]
    likely = 0.0
    for (i, j), way in zip(cells, ways, strict=True):
        sector = _sector(edges, float(np.arctan2(way[1], way[0])))
        ink = int(board.symbols[i, j])
        if (sector % 2 == 0) != (ink >= 0):
            return False
        if ink >= 0 and board.coded:
            likely += float(ink_loglikelihood(sight.colors[saddle, sector], paper_relative(board))[ink])
    return likely >= UNLIKELY


def _sector(edges_rad: NDArray[np.float64], angle_rad: float) -> int:
    behind = (angle_rad - edges_rad) % (2 * np.pi)
    return int(behind.argmin())


def look_again(
    brightness: NDArray[np.float32], board: Board, prediction: Prediction, expected_px: NDArray, found: Matched
) -> Matched:
    """Corners that no saddle was found for: is the pattern there, seen at the slant that the model says?

    The ideal corner is compared with the photo, straightened by the local map, at all shifts up to 2.5 mm; only a
    clear peak of the normalized correlation counts, and its place is where the photo puts it, not the model.
    """
    missing = np.setdiff1d(np.flatnonzero(prediction.may_show), found.index)
    index, points = list(found.index), list(found.points_px)
    for corner in missing:
        shift_mm = _find_pattern(brightness, board, prediction.along_px[corner], expected_px[corner], int(corner))
        if shift_mm is None:
            continue
        place = expected_px[corner] + shift_mm @ prediction.along_px[corner]
        if not len(points) or np.hypot(*(np.array(points) - place).T).min() > LEAST_GATE_PX:
            index.append(int(corner))
            points.append(place)
    return Matched(np.array(index, np.int64), np.array(points).reshape(-1, 2))


def _find_pattern(
    brightness: NDArray[np.float32], board: Board, along_px: NDArray, expected_px: NDArray, corner: int
) -> NDArray[np.float64] | None:
    """Sheet millimeters from where the corner is expected to where it is, None where the photo does not show it."""
    import cv2

    # Pixels per millimeter across the lines of constant u and of constant v.
    across = abs(np.linalg.det(along_px)) / np.linalg.norm(along_px[::-1], axis=1)
    if across.min() < LEAST_PX_PER_MM:
        return None
    step = np.clip(WINDOW_PX / across, *WINDOW_MM) / HALF
    reach = np.ceil(SHIFT_MM / step).astype(int)
    u, v = (np.arange(-HALF - n, HALF + n + 1) * width for n, width in zip(reach, step, strict=True))
    grid = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    patch = ring_samples(brightness, (expected_px + grid @ along_px - 0.5)[None], np.zeros((1, 2)))[0]
    if np.ptp(patch) < LEAST_RANGE:
        return None
    row, column = divmod(corner, board.columns - 1)
    sides = [np.tanh(np.arange(-HALF, HALF + 1) * width * px / BLUR_PX) for width, px in zip(step, across, strict=True)]
    ideal = -np.outer(sides[1], sides[0]) * (1 if board.symbols[row, column] >= 0 else -1)
    score = cv2.matchTemplate(
        patch.reshape(len(v), len(u)).astype(np.float32), ideal.astype(np.float32), cv2.TM_CCOEFF_NORMED
    )
    y, x = np.unravel_index(int(score.argmax()), score.shape)
    if score[y, x] < LEAST_CORRELATION or not (0 < y < score.shape[0] - 1 and 0 < x < score.shape[1] - 1):
        return None
    top = np.array([_vertex(score[y, x - 1 : x + 2]), _vertex(score[y - 1 : y + 2, x])])
    return (np.array([x, y]) - reach + top) * step


def _vertex(three: NDArray) -> float:
    curve = float(three[0] - 2 * three[1] + three[2])
    return 0.0 if curve >= 0 else float(0.5 * (three[0] - three[2]) / curve)
