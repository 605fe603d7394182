"""Photos of the worn board: fit, doubt, overlay, and what a calibration folder keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.advice import what_to_improve, where_to_turn, why_unreadable
from maskdesign.calibration.board import Board, inner_corners_mm
from maskdesign.calibration.drapes import DrapeFamily, drape_cache, drape_family
from maskdesign.calibration.flat import Lens, undistort
from maskdesign.calibration.identify import identify, look
from maskdesign.calibration.overlay import draw_corners
from maskdesign.calibration.predict import build_probes, predict
from maskdesign.calibration.worn import WornReading, read_worn
from maskdesign.errors import InputError
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import FaceScan, load_face
from maskdesign.files import write_npz
from maskdesign.jobs.calibrate_reading import PhotoReading, board_pattern, corner_count, write_overlay
from maskdesign.mask.cells import cell_quads, fit_cells
from maskdesign.progress import Progress

VISIBILITY = "visibility.npz"
UNEVEN = 3.5
"""Distance between model and photo, in thousandths of the photo's longer side, from which on to warn."""
LEAST_AGREED, LEAST_SHOWN = 0.75, 0.6
"""Shares of the corners that the inks name and of those that the model shows, below which a fit is doubted."""
DOUBT = (
    "WARNING: do not use this yet: the mask does not lie as the model says. Give photos of one wearing by one "
    "camera at one zoom, and the wearer's own head with --face"
)


def read_worn_photos(
    photos: Sequence[tuple[Path, NDArray[np.uint8]]],
    board: Board,
    face: Path | None,
    out: Path,
    lens: Lens | None,
    document: dict[str, Any],
    progress: Progress,
) -> tuple[dict[str, Any], list[PhotoReading]]:
    """Fit the drape to photos of one wearing; write overlays and `visibility.npz`.

    Args:
        photos: name and pixels, at least one.
        face: `face.npz` of the wearer; the built-in head else.
        lens: from flat photos, where there were some.
        document: what the folder says so far.

    Returns:
        the part `worn` of the folder's result, and what to say of each photo.

    Raises:
        InputError: a photo that cannot be read, with the reason and the remedy.
    """
    for path, pixels in photos:
        sight = look(pixels)
        named = identify(sight, board)
        if len(named.saddle) < 8 or named.mirrored:
            raise InputError(f"{path}: {why_unreadable(pixels, sight, named, board)}")
    scan = builtin_face() if face is None else load_face(face)
    pattern = board_pattern(board)
    progress.stage("Drapes")
    family = drape_family(scan, pattern, progress, out / "drapes" / drape_cache(scan, pattern))
    progress.stage("Fit")
    straight = [pixels if lens is None else undistort(pixels, lens) for _, pixels in photos]
    focal = [_focal_px(path, pixels, lens, document) for path, pixels in photos]
    reading = read_worn(straight, board, scan, family, focal)
    if reading is None:
        raise InputError(
            f"{photos[0][0]}: the board is there, but too little of it to fit the mask; "
            "come nearer, from the front, and use even light"
        )
    return _describe_worn(reading, photos, board, scan, family, out, face is not None)


def _focal_px(path: Path, pixels: NDArray[np.uint8], lens: Lens | None, document: dict[str, Any]) -> float | None:
    longest = max(pixels.shape[:2])
    if lens is not None and lens.focal_sigma_px < 0.05 * lens.focal_px:
        size = document.get("lens", {})
        return lens.focal_px * longest / max(size.get("width_px", longest), size.get("height_px", longest))
    return _exif_focal_px(path, longest)


def _exif_focal_px(path: Path, longest_px: int) -> float | None:
    """From the 35 mm equivalent that phones write, whose film is 36 mm wide; None where there is none."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            equivalent = float(image.getexif().get_ifd(0x8769).get(0xA405, 0))
    except (OSError, ValueError, TypeError, SyntaxError):
        return None
    return equivalent / 36.0 * longest_px if 10 <= equivalent <= 200 else None


def _describe_worn(
    reading: WornReading,
    photos: Sequence[tuple[Path, NDArray[np.uint8]]],
    board: Board,
    face: FaceScan,
    family: DrapeFamily,
    out: Path,
    own_face: bool,
) -> tuple[dict[str, Any], list[PhotoReading]]:
    fit, doubts = reading.fit, [doubt_fit(reading, k, board, family) for k in range(len(photos))]
    probes = build_probes(family, board)
    found = np.zeros((board.rows - 1, board.columns - 1), bool)
    for photo in reading.photos:
        found.ravel()[photo.matched.index] = True
    common = where_to_turn(board, found)
    readings = []
    for number, (photo, (path, _)) in enumerate(zip(reading.photos, photos, strict=True)):
        expected = predict(probes, family, board, fit, number, reading.visibility.seen[number])
        residual = _residual_px(reading, number)
        advice = what_to_improve(
            photo.pixels, board, photo.matched.index, expected.points_px, photo.identified.angle_deg
        )
        advice = [DOUBT, *advice] if doubts[number] else advice
        lines = [*advice, *common] or ["worn: good"]
        picture = draw_corners(photo.pixels, board, photo.matched, lines, expected.points_px)
        overlay = write_overlay(out, path, picture)
        count = len(photo.matched.index)
        readings.append(
            PhotoReading(path.name, "worn", count, corner_count(board), residual, (*advice, *common), overlay)
        )
    write_npz(
        out / VISIBILITY,
        seen=reading.visibility.ever,
        texel_mm=np.array(reading.visibility.texel_mm),
        found=found,
        **_cell_maps(reading, board),
    )
    return {
        "photos": len(photos),
        "face": face.source,
        "own_face": own_face,
        "doubted": any(doubts),
        "pattern": asdict(family.pattern),
        "opening_mm": fit.opening_mm,
        "opening_sigma_mm": fit.opening_sigma_mm,
        "asked_opening_mm": fit.asked_mm,
        "placement_mm": fit.placement_mm,
        "placement_sigma_mm": fit.placement_sigma_mm,
        "seen_share": reading.visibility.ever_share,
        "corners": int(found.sum()),
    }, readings


def doubt_fit(reading: WornReading, number: int, board: Board, family: DrapeFamily) -> bool:
    """Whether the fit is not to be trusted, by photo `number`.

    What the inks name and what the model expects must be the same corners, most of them found, near their places.
    """
    photo, fit = reading.photos[number], reading.fit
    expected = predict(build_probes(family, board), family, board, fit, number, reading.visibility.seen[number])
    index = photo.identified.corner[:, 0] * (board.columns - 1) + photo.identified.corner[:, 1]
    named = np.isin(index, np.flatnonzero(expected.may_show)).sum()
    agreed = np.isin(index, photo.matched.index).sum() / max(1, named)
    shown = len(photo.matched.index) / max(1, expected.may_show.sum())
    uneven = 1000 * _residual_px(reading, number) / max(photo.pixels.shape[:2]) > UNEVEN
    return bool(agreed <= LEAST_AGREED or shown <= LEAST_SHOWN or uneven)


def _residual_px(reading: WornReading, number: int) -> float:
    return float(np.sqrt((reading.fit.residual_px[number] ** 2).sum(axis=1).mean()))


def _cell_maps(reading: WornReading, board: Board) -> dict[str, NDArray]:
    """M_theta (equation 6) of every cell all of whose corners one photo shows, photo by photo; NaN for the others."""
    drawn = cell_quads(inner_corners_mm(board))
    matrices, residuals = [], []
    for photo in reading.photos:
        places = np.full((corner_count(board), 2), np.nan)
        places[photo.matched.index] = photo.matched.points_px
        maps = fit_cells(cell_quads(places.reshape(board.rows - 1, board.columns - 1, 2)), drawn)
        matrices.append(maps.matrices)
        residuals.append(maps.residual)
    return {"m_theta": np.stack(matrices), "cell_residual_mm": np.stack(residuals)}
