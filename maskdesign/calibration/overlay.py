"""The photo with every corner that was found and its name, for people to check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board
from maskdesign.calibration.complete import Matched

BAR_PX = 34


def draw_corners(
    pixels: NDArray[np.uint8], board: Board, found: Matched, lines: Sequence[str], expected_px: NDArray | None = None
) -> NDArray[np.uint8]:
    """Corners as dots with row.column beside them, hidden ones as rings where the model puts them, advice below.

    Args:
        expected_px: (n, 2) all corners by the model; those that were not found are drawn as thin gray rings.
    """
    import cv2

    scale = max(1.0, 1400 / max(pixels.shape[:2]))
    picture = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    names = {int(i) for i in found.index}
    if expected_px is not None:
        for number, point in enumerate(expected_px):
            if number not in names:
                cv2.circle(picture, _pixel(point * scale), 5, (150, 150, 150), 1, cv2.LINE_AA)
    for number, point in zip(found.index, found.points_px, strict=True):
        row, column = divmod(int(number), board.columns - 1)
        at = _pixel(point * scale)
        cv2.circle(picture, at, 5, (255, 255, 255), 2, cv2.LINE_AA)
        cv2.circle(picture, at, 4, (230, 0, 230), 2, cv2.LINE_AA)
        label = (at[0] + 6, at[1] - 5)
        for color, width in (((0, 0, 0), 3), ((255, 255, 0), 1)):
            cv2.putText(
                picture, f"{row + 1}.{column + 1}", label, cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, width, cv2.LINE_AA
            )
    bar = np.full((BAR_PX * max(1, len(lines)) + 8, picture.shape[1], 3), 24, np.uint8)
    for number, line in enumerate(lines):
        at = (12, BAR_PX * (number + 1) - 8)
        cv2.putText(bar, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([picture, bar])


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
