"""Calibration as a job: boards to print, photos to read, and the folder that holds what came out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.advice import stretch_advice, what_to_improve, where_to_turn, why_unreadable
from maskdesign.calibration.board import Board, inner_corners_mm, load_board
from maskdesign.calibration.complete import Matched
from maskdesign.calibration.drapes import DrapeFamily, drape_family
from maskdesign.calibration.flat import FlatCorners, Lens, fit_lens, read_flat, scan_scale, undistort
from maskdesign.calibration.identify import identify, look
from maskdesign.calibration.overlay import draw_corners
from maskdesign.calibration.predict import build_probes, predict
from maskdesign.calibration.worn import WornPhoto, WornReading, read_worn
from maskdesign.config import from_mapping
from maskdesign.errors import InputError, UsageError
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import FaceScan, load_face
from maskdesign.files import read_image, write_image, write_json, write_npz
from maskdesign.jobs.calibrate_apply import write_design
from maskdesign.jobs.mask import read_pattern
from maskdesign.mask.cells import cell_quads, fit_cells
from maskdesign.mask.pattern import MaskPattern
from maskdesign.progress import Progress

RESULT = "calibration.json"
VISIBILITY = "visibility.npz"
UNEVEN = 3.5
"""Distance between model and photo, in thousandths of the photo's longer side, from which on to warn."""
LEAST_AGREED, LEAST_SHOWN = 0.75, 0.6
"""Shares of the corners that the inks name and of those that the model shows, below which a fit is doubted."""


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
        reading, found = _worn_stage(chosen, board, face, out, lens, document, progress)
        document |= {"board": board_name, "worn": reading}
        readings += found
    write_json(out / RESULT, document)
    write_design(out, document)
    return readings


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
        name = _write_overlay(out, paths[number], draw_corners(images[number], board, found, lines or ["flat: good"]))
        count = len(corners.index)
        readings.append(
            PhotoReading(paths[number].name, "flat", count, _count(board), corners.residual_px, tuple(lines), name)
        )
    return lens, readings


def _count(board: Board) -> int:
    return (board.rows - 1) * (board.columns - 1)


def _write_overlay(out: Path, photo: Path, picture: NDArray[np.uint8]) -> str:
    name = f"overlay-{photo.stem}.png"
    write_image(out / name, picture)
    return name


def _worn_stage(
    photos: Sequence[tuple[Path, NDArray[np.uint8]]],
    board: Board,
    face: Path | None,
    out: Path,
    lens: Lens | None,
    document: dict[str, Any],
    progress: Progress,
) -> tuple[dict[str, Any], list[PhotoReading]]:
    for path, pixels in photos:
        sight = look(pixels)
        named = identify(sight, board)
        if len(named.saddle) < 8 or named.mirrored:
            raise InputError(f"{path}: {why_unreadable(pixels, sight, named, board)}")
    scan = builtin_face() if face is None else load_face(face)
    pattern = board_pattern(board)
    progress.stage("Drapes")
    family = drape_family(scan, pattern, progress, out / "drapes" / _fingerprint(scan, pattern))
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


def _fingerprint(face: FaceScan, pattern: MaskPattern) -> str:
    import hashlib

    digest = hashlib.sha256(face.mesh.vertices.tobytes() + repr(pattern).encode())
    return digest.hexdigest()[:12]


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
    fit, probes = reading.fit, build_probes(family, board)
    found = np.zeros((board.rows - 1, board.columns - 1), bool)
    for photo in reading.photos:
        found.ravel()[photo.matched.index] = True
    common = where_to_turn(board, found)
    readings = []
    for number, (photo, (path, _)) in enumerate(zip(reading.photos, photos, strict=True)):
        expected = predict(probes, family, board, fit, number, reading.visibility.seen[number])
        residual = float(np.sqrt((fit.residual_px[number] ** 2).sum(axis=1).mean()))
        advice = what_to_improve(
            photo.pixels, board, photo.matched.index, expected.points_px, photo.identified.angle_deg
        )
        doubt = _doubt(photo, board, expected.may_show, residual)
        if doubt is not None:
            advice.insert(0, doubt)
        lines = [*advice, *common] or ["worn: good"]
        picture = draw_corners(photo.pixels, board, photo.matched, lines, expected.points_px)
        overlay = _write_overlay(out, path, picture)
        count = len(photo.matched.index)
        readings.append(PhotoReading(path.name, "worn", count, _count(board), residual, (*advice, *common), overlay))
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
        "opening_mm": fit.opening_mm,
        "opening_sigma_mm": fit.opening_sigma_mm,
        "asked_opening_mm": fit.asked_mm,
        "placement_mm": fit.placement_mm,
        "placement_sigma_mm": fit.placement_sigma_mm,
        "seen_share": float(reading.visibility.ever.mean()),
        "corners": int(found.sum()),
    }, readings


def _doubt(photo: WornPhoto, board: Board, may_show: NDArray[np.bool_], residual_px: float) -> str | None:
    """Why a fit is not to be trusted: what the inks name and what the model expects must be the same corners."""
    index = photo.identified.corner[:, 0] * (board.columns - 1) + photo.identified.corner[:, 1]
    agreed = np.isin(index, photo.matched.index).sum() / max(1, np.isin(index, np.flatnonzero(may_show)).sum())
    shown = len(photo.matched.index) / max(1, may_show.sum())
    uneven = 1000 * residual_px / max(photo.pixels.shape[:2]) > UNEVEN
    if agreed > LEAST_AGREED and shown > LEAST_SHOWN and not uneven:
        return None
    return (
        "WARNING: do not use this yet: the mask does not lie as the model says. Give photos of one wearing by one "
        "camera at one zoom, and the wearer's own head with --face"
    )


def _cell_maps(reading: WornReading, board: Board) -> dict[str, NDArray]:
    """M_theta (equation 6) of every cell all of whose corners one photo shows, photo by photo; NaN for the others."""
    drawn = cell_quads(inner_corners_mm(board))
    matrices, residuals = [], []
    for photo in reading.photos:
        places = np.full((_count(board), 2), np.nan)
        places[photo.matched.index] = photo.matched.points_px
        maps = fit_cells(cell_quads(places.reshape(board.rows - 1, board.columns - 1, 2)), drawn)
        matrices.append(maps.matrices)
        residuals.append(maps.residual)
    return {"m_theta": np.stack(matrices), "cell_residual_mm": np.stack(residuals)}
