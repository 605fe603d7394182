"""What is wrong with a photo, in words that say what to do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board, inner_corners_mm
from maskdesign.calibration.identify import Identified, Sight

LEAST_SIDE_PX = 300
CLIPPED_SHARE, DARK_LEVEL = 0.25, 70
SHARP_EDGE = 0.045
FEW_SADDLES = 12
CUT_OFF_SHARE = 0.15
TURN_SHARE = 0.25


def why_unreadable(pixels: NDArray[np.uint8], sight: Sight, named: Identified, board: Board) -> str:
    """One reason why no board could be read, the likeliest first, and the remedy."""
    if min(pixels.shape[:2]) < LEAST_SIDE_PX:
        return f"the photo has {pixels.shape[1]} x {pixels.shape[0]} pixels; give the original, at least 300 x 300"
    if named.mirrored and len(named.saddle) >= FEW_SADDLES:
        return "the board is mirrored; switch off the front camera's mirror image, or mirror printing"
    if len(named.saddle) < FEW_SADDLES and (sight.links >= 0).sum() >= 6 * FEW_SADDLES:
        return f"a chessboard is there, but not this one ({_kind(board)}); name the printed one with --board"
    problem = _exposure(pixels) or _blur(pixels)
    if problem:
        return problem
    return "no board found; fill half of the picture with it, in even light, nothing before it"


def _kind(board: Board) -> str:
    return "this one has colored cells" if board.coded else "this one is black and white and must lie flat, seen whole"


def _exposure(pixels: NDArray[np.uint8]) -> str | None:
    brightest = pixels.max(axis=2)
    if (pixels.min(axis=2) >= 250).mean() > CLIPPED_SHARE:
        return "over-exposed; take it with less light or touch the board on the phone's screen before you press"
    if np.percentile(brightest, 95) < DARK_LEVEL:
        return "too dark; take it in daylight or with more lamps"
    return None


def _blur(pixels: NDArray[np.uint8]) -> str | None:
    # The steepest steps from pixel to pixel over the range of brightness: about 0.4 in focus.
    gray = pixels.astype(np.float32).mean(axis=2)
    steps = np.concatenate([abs(np.diff(gray, axis=0)).ravel(), abs(np.diff(gray, axis=1)).ravel()])
    spread = np.ptp(np.percentile(gray, (2, 98)))
    if spread > 0 and np.percentile(steps, 99.5) / spread < SHARP_EDGE:
        return "blurred; hold the phone still and let it focus on the board"
    return None


def what_to_improve(
    pixels: NDArray[np.uint8], board: Board, index: NDArray[np.int64], expected_px: NDArray, angle_deg: float
) -> list[str]:
    """Advice on a photo that was read.

    Args:
        index: corners that were found.
        expected_px: (n, 2) where all corners should be.
    """
    advice = [problem for problem in (_exposure(pixels), _blur(pixels)) if problem]
    if abs(angle_deg) > 135:
        advice.append("board upside down: turn the photo, or wear the mask with the nose wire at the top")
    height, width = pixels.shape[:2]
    outside = ((expected_px < 0) | (expected_px > [width, height])).any(axis=1).mean()
    if outside > CUT_OFF_SHARE:
        advice.append("cut off: step back until the whole mask is in the picture")
    return advice


def where_to_turn(board: Board, found: NDArray[np.bool_]) -> list[str]:
    """Which further photos would show what none has shown.

    Args:
        found: (rows - 1, columns - 1) corners that some photo shows.
    """
    u = inner_corners_mm(board)[0, :, 0]
    left, right = found[:, u < np.median(u)].mean(), found[:, u > np.median(u)].mean()
    top, bottom = found[: len(found) // 2].mean(), found[len(found) // 2 :].mean()
    advice = []
    if right - left > TURN_SHARE:
        advice.append("add a photo with the head turned left: the left side of the picture's mask is hardly seen")
    if left - right > TURN_SHARE:
        advice.append("add a photo with the head turned right: the right side of the picture's mask is hardly seen")
    if top - bottom > 0.35:
        advice.append("add a photo with the chin up: the lower part is hardly seen")
    return advice


def stretch_advice(stretch: float | None) -> list[str]:
    """What a print whose scale differs between u and v calls for."""
    if stretch is None or abs(stretch - 1) < 0.005:
        return []
    return [
        f"scale x differs from y by {stretch - 1:+.1%}: print at 100 % without fit to page; "
        "on fabric, tell the sheet its stretch"
    ]
