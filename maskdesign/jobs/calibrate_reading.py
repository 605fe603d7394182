"""What all readings of calibration photos share: their result, the sheet of a board, the folder's files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board
from maskdesign.errors import InputError
from maskdesign.files import write_image
from maskdesign.jobs.mask import read_pattern
from maskdesign.mask.pattern import MaskPattern

RESULT = "calibration.json"


@dataclass(frozen=True)
class PhotoReading:
    """What `calibrate photo` says of one photo.

    Attributes:
        photo: its name.
        kind: "flat" or "worn".
        corners: how many were found, of `of`.
        residual_px: root mean square distance from the model.
        advice: what to do better, in words.
        overlay: picture with every corner's name.
    """

    photo: str
    kind: str
    corners: int
    of: int
    residual_px: float
    advice: tuple[str, ...]
    overlay: str


def board_pattern(board: Board) -> MaskPattern:
    """The sheet that a board is printed on."""
    return read_pattern(Path(board.template).stem if board.template.startswith("print_templates/") else board.template)


def read_result(folder: Path) -> dict[str, Any]:
    """What earlier calls found; empty where there is nothing yet.

    Raises:
        InputError: a damaged file.
    """
    path = folder / RESULT
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text())
        if not isinstance(document, dict):
            raise ValueError("no table")
        return document
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); remove the folder and calibrate again") from error


def require_result(folder: Path) -> dict[str, Any]:
    """The folder's result.

    Raises:
        InputError: there is none.
    """
    document = read_result(folder)
    if not document:
        raise InputError(
            f"{folder / RESULT}: nothing calibrated yet; start with `maskdesign calibrate photo FILE --out {folder}`"
        )
    return document


def corner_count(board: Board) -> int:
    """How many inner corners a board has."""
    return (board.rows - 1) * (board.columns - 1)


def write_overlay(out: Path, photo: Path, picture: NDArray[np.uint8]) -> str:
    """Write a photo's overlay into the calibration folder; returns its name."""
    name = f"overlay-{photo.stem}.png"
    write_image(out / name, picture)
    return name
