"""Calibration as a job: boards to print, photos to read, and the folder that holds what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.advice import stretch_advice, what_to_improve, why_unreadable
from maskdesign.calibration.board import Board, load_board
from maskdesign.calibration.complete import Matched
from maskdesign.calibration.flat import FlatCorners, Lens, fit_lens, read_flat, scan_scale
from maskdesign.calibration.identify import identify, look
from maskdesign.calibration.overlay import draw_corners
from maskdesign.config import from_mapping
from maskdesign.errors import InputError, UsageError
from maskdesign.files import read_image, write_json
from maskdesign.jobs.calibrate_apply import write_design
from maskdesign.jobs.calibrate_reading import RESULT, PhotoReading, corner_count, read_result, write_overlay
from maskdesign.jobs.calibrate_worn import read_worn_photos
from maskdesign.progress import Progress


def read_photos(
    paths: Sequence[Path], board_name: str, face: Path | None, out: Path, dpi: float | None, progress: Progress
) -> list[PhotoReading]:
    """Read flat and worn photos of one board and write what they say into a calibration folder.

    Flat ones are told by their corners lying on a plane; they come first, for they tell the lens.

    Args:
        face: `face.npz` of the wearer; the built-in head else, which makes the opening less sure.
        dpi: resolution, where the photos are scans: then the scale in x and y is absolute.

    Raises:
        InputError: a photo that cannot be read, with the reason and the remedy; nothing is written then.
    """
    if not paths:
        raise UsageError("name at least one photo, as in `maskdesign calibrate photo flat.jpg front.jpg --out cal`")
    board = load_board(board_name)
    images = [read_image(path) for path in paths]
    progress.stage("Corners")
    flat: dict[int, FlatCorners] = {}
    for number, (path, pixels) in enumerate(zip(paths, images, strict=True)):
        corners = _flat_corners(path, pixels, board)
        if corners is not None:
            flat[number] = corners
        progress.advance(number + 1, len(paths), path.name)
    worn = [number for number in range(len(paths)) if number not in flat]
    if worn and not board.coded:
        raise InputError(f"{paths[worn[0]]}: {_reason(images[worn[0]], board)}")
    document = read_result(out)
    readings: list[PhotoReading] = []
    lens = _known_lens(document)
    if flat:
        lens, found = _flat_stage(paths, images, board, flat, out, dpi)
        document |= {"board": board_name, "lens": asdict(lens) | _size(images[min(flat)])}
        document |= {"scale": _scales(board, flat, dpi)} if dpi else {}
        readings += found
    if worn:
        chosen = [(paths[k], images[k]) for k in worn]
        reading, found = read_worn_photos(chosen, board, face, out, lens, document, progress)
        document |= {"board": board_name, "worn": reading}
        readings += found
    write_json(out / RESULT, document)
    write_design(out, document)
    return readings


def _size(pixels: NDArray[np.uint8]) -> dict[str, int]:
    return {"width_px": pixels.shape[1], "height_px": pixels.shape[0]}


def _known_lens(document: dict[str, Any]) -> Lens | None:
    values = document.get("lens")
    if not isinstance(values, dict):
        return None
    return from_mapping(Lens, {name: values[name] for name in Lens.__dataclass_fields__ if values[name] is not None})


def _flat_corners(path: Path, pixels: NDArray[np.uint8], board: Board) -> FlatCorners | None:
    corners = read_flat(pixels, board)
    if corners is not None and corners.mirrored:
        raise InputError(f"{path}: {_reason(pixels, board)}")
    return corners


def _reason(pixels: NDArray[np.uint8], board: Board) -> str:
    sight = look(pixels)
    return why_unreadable(pixels, sight, identify(sight, board), board)


def _scales(board: Board, flat: dict[int, FlatCorners], dpi: float) -> list[float]:
    return list(np.mean([scan_scale(board, corners, dpi) for corners in flat.values()], axis=0))


def _flat_stage(
    paths: Sequence[Path],
    images: Sequence[NDArray[np.uint8]],
    board: Board,
    flat: dict[int, FlatCorners],
    out: Path,
    dpi: float | None,
) -> tuple[Lens, list[PhotoReading]]:
    first = images[min(flat)]
    sizes = {images[k].shape for k in flat}
    if len(sizes) > 1:
        raise InputError("the flat photos differ in size; take them with one camera at one zoom, all upright")
    lens = fit_lens(board, list(flat.values()), first.shape[1], first.shape[0])
    alone = float(np.median([corners.residual_px for corners in flat.values()]))
    if lens.residual_px > 3 * alone + 0.3:
        raise InputError(
            f"the flat photos do not agree ({lens.residual_px:.1f} px together, {alone:.1f} px each by itself); "
            "take them with one camera at one zoom, uncropped, with the sheet on a flat table"
        )
    advice = stretch_advice(lens.stretch)
    if lens.stretch is None and dpi is None:
        advice.append("one more flat photo from another side would tell the stretch and the lens")
    readings = []
    for number, corners in flat.items():
        lines = [*advice, *what_to_improve(images[number], board, corners.index, corners.points_px, corners.angle_deg)]
        found = Matched(corners.index, corners.points_px)
        name = write_overlay(out, paths[number], draw_corners(images[number], board, found, lines or ["flat: good"]))
        count = len(corners.index)
        readings.append(
            PhotoReading(
                paths[number].name, "flat", count, corner_count(board), corners.residual_px, tuple(lines), name
            )
        )
    return lens, readings
