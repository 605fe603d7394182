"""A sheet is measured: from its pixels, as a printer sees it, and from its drawing instructions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ImageError, InputError
from maskdesign.sheets.layout import MM_PER_INCH
from maskdesign.sheets.raster import open_page, pixels_per_mm, render_page
from maskdesign.sheets.targets import Scale, find_targets, frame_of, measure_scale
from maskdesign.sheets.template import sheet_template
from maskdesign.sheets.vectors import vector_targets

BASE_MM = 150.0
REMEDY = 'switch off "fit to page" and print at 100 % (actual size)'


@dataclass(frozen=True)
class SheetCheck:
    """How true a sheet is to its scale.

    Attributes:
        width_scale: measured over drawn length, left to right of the sheet; 1 is true.
        height_scale: the same, top to bottom.
        error_mm_over_150: the largest error of 150 mm, by either scale or by skew, in the raster or in the vectors.
        residual_mm: root mean square of what an affine map of the targets leaves.
        vector_scale: width and height scale of the PDF's drawing instructions; None where they cannot be read.
        rotation_deg: how the sheet is turned, clockwise positive.
        skew_deg: departure from the right angle.
        mirrored: left and right exchanged.
        verdict: one line for the user.
        passed: true to scale within 0.1 mm over 150 mm, neither mirrored nor uneven.
    """

    width_scale: float
    height_scale: float
    error_mm_over_150: float
    residual_mm: float
    vector_scale: tuple[float, float] | None
    rotation_deg: float
    skew_deg: float
    mirrored: bool
    verdict: str
    passed: bool


def check_sheet(path: Path) -> SheetCheck:
    """Measure the PDF of a sheet.

    The page is rasterized at 300 dpi and its coded targets are detected there; the distances that they were drawn at
    follow from their codes, not from anything else in the file, so a page scaled in any way cannot pass.

    Raises:
        InputError: not a readable PDF of one page, or not one of this program's sheets.
    """
    with open_page(path) as page:
        try:
            drawn = vector_targets(page.forms, page.mm_per_unit)
            pixels = render_page(page, sheet_template().check_dpi, grayscale=True)
            raster = _raster_scale(pixels, pixels_per_mm(page, pixels))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    return _judge(raster, _vector_scale(drawn))


def check_raster(pixels: NDArray[np.uint8], dpi: float | tuple[float, float]) -> SheetCheck:
    """Measure a picture of a sheet: a rendered page or a scan, in any of the directions it can lie.

    Args:
        pixels: (H, W) or (H, W, 3).
        dpi: true resolution, along x and y where they differ.

    Raises:
        InputError: the four targets are not in the picture.
        ImageError: no picture, or a resolution that is not positive.
    """
    along = (dpi, dpi) if isinstance(dpi, (int, float)) else dpi
    if not all(0 < value < np.inf for value in along):
        raise ImageError(f"dpi = {dpi}: must be positive; give the resolution of the scan")
    return _judge(_raster_scale(_gray(pixels), (along[0] / MM_PER_INCH, along[1] / MM_PER_INCH)), None)


def _gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.size == 0:
        raise ImageError(f"pixels: {pixels.dtype} {pixels.shape} given, (H, W) or (H, W, 3) uint8 needed")
    if pixels.ndim == 2:
        return pixels
    return np.rint(pixels[..., :3] @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def _raster_scale(gray: NDArray[np.uint8], per_mm: tuple[float, float]) -> Scale:
    centers_px = find_targets(gray)
    if not centers_px:
        # A mirrored target decodes only when it is mirrored back.
        flipped = find_targets(np.ascontiguousarray(gray[:, ::-1]))
        centers_px = {code: np.array([gray.shape[1] - x, y]) for code, (x, y) in flipped.items()}
    frame = frame_of(set(centers_px))
    return measure_scale(frame, {code: center / per_mm for code, center in centers_px.items()})


def _vector_scale(centers_mm: dict[int, NDArray[np.float64]]) -> Scale | None:
    try:
        return measure_scale(frame_of(set(centers_mm)), centers_mm)
    except InputError:
        return None


def _judge(raster: Scale, vector: Scale | None) -> SheetCheck:
    tolerance_mm = sheet_template().tolerance_mm
    error_mm = max(_error_mm(scale) for scale in (raster, vector) if scale is not None)
    passed = error_mm <= tolerance_mm and raster.residual_mm <= tolerance_mm and not raster.mirrored
    return SheetCheck(
        width_scale=raster.width,
        height_scale=raster.height,
        error_mm_over_150=error_mm,
        residual_mm=raster.residual_mm,
        vector_scale=None if vector is None else (vector.width, vector.height),
        rotation_deg=raster.rotation_deg,
        skew_deg=raster.skew_deg,
        mirrored=raster.mirrored,
        verdict=_verdict(raster, error_mm, tolerance_mm),
        passed=passed,
    )


def _error_mm(scale: Scale) -> float:
    return BASE_MM * max(abs(scale.width - 1), abs(scale.height - 1), _shear(scale))


def _shear(scale: Scale) -> float:
    return abs(math.sin(math.radians(scale.skew_deg)))


def _verdict(scale: Scale, error_mm: float, tolerance_mm: float) -> str:
    if scale.mirrored:
        return "printed mirrored: switch off mirror or transfer printing"
    if scale.residual_mm > tolerance_mm:
        return f"uneven by {scale.residual_mm:.2f} mm: lay the page flat and scan it again"
    if error_mm <= tolerance_mm:
        return f"true to scale: off by {error_mm:.2f} mm over {BASE_MM:g} mm"
    if BASE_MM * _shear(scale) > tolerance_mm:
        return f"skewed by {scale.skew_deg:.2f} degrees: lay the page straight and print or scan it again"
    if BASE_MM * abs(scale.width - scale.height) > tolerance_mm:
        return f"printed at {_percent(scale.width)} in width and {_percent(scale.height)} in height: {REMEDY}"
    return f"printed at {_percent((scale.width + scale.height) / 2)}: {REMEDY}"


def _percent(scale: float) -> str:
    return f"{scale:.1%}".replace("%", " %") if abs(scale - 1) >= 0.002 else f"{scale:.2%}".replace("%", " %")
