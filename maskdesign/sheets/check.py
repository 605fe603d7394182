"""A sheet is measured: a PDF by its instructions and its pixels, a scan by its resolution, a photo by the paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskdesign.errors import ImageError, InputError
from maskdesign.files import check_readable, read_image
from maskdesign.sheets.paper import MM_PER_INCH, Paper
from maskdesign.sheets.photo import measure_photo
from maskdesign.sheets.raster import Page, is_pdf, open_pages, pixels_per_mm, render_page
from maskdesign.sheets.targets import (
    NoTargetError,
    Scale,
    TargetFrame,
    find_targets,
    frame_of,
    measure_scale,
    target_rules,
)
from maskdesign.sheets.vectors import vector_targets
from maskdesign.sheets.verdict import SheetCheck, judge

EXPOSURE_TAGS = (0x829A, 0x829D, 0x920A)
"""EXIF's exposure time, aperture and focal length: only cameras write them."""
LEAST_SCAN_DPI = 75.0
SMOOTHINGS_PX = (1.2, 2.4)
FLAT_MM = 0.4
"""What an affine map may leave on a scan; a page photographed at a slant leaves more."""


def check_file(path: Path, paper: Paper | None = None, dpi: float | None = None) -> SheetCheck:
    """Measure a sheet from its PDF, from a scan or from a photo of the printed page.

    Args:
        paper: what was printed on, for photos; recognized among the known papers where None.
        dpi: resolution of a scan; the file's own where None. Naming it makes any picture a scan.

    Raises:
        InputError: neither a PDF nor a picture of one of this program's sheets.
    """
    check_readable(path)
    # By its name too: an empty or broken PDF is to be refused as one, not as a picture.
    named_so = path.suffix.lower() == ".pdf"
    return check_sheet(path) if named_so or is_pdf(path) else check_picture(path, paper, dpi)


def check_sheet(path: Path) -> SheetCheck:
    """Measure the PDF of a sheet.

    Each page is rasterized at 300 dpi and its coded targets are detected there; the distances that they were drawn at
    follow from their codes, not from anything else in the file, so a page scaled in any way cannot pass.

    Raises:
        InputError: not a readable PDF, or not one of this program's sheets.
    """
    checks, reason = [], ""
    with open_pages(path) as pages:
        for number, page in enumerate(pages, 1):
            try:
                checks.append(_check_page(page, number, len(pages)))
            except NoTargetError as error:
                reason = str(error)
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
    if not checks:
        raise InputError(f"{path}: {reason}")
    return max(checks, key=lambda check: (not check.passed, check.error))


def _check_page(page: Page, number: int, pages: int) -> SheetCheck:
    drawn = vector_targets(page.forms, page.mm_per_unit)
    pixels = render_page(page, target_rules().check.dpi, grayscale=True)
    raster = _raster_scale(pixels, pixels_per_mm(page, pixels))
    return judge("pdf", raster, _vector_scale(drawn), page=(number, pages))


def check_picture(path: Path, paper: Paper | None = None, dpi: float | None = None) -> SheetCheck:
    """Measure a scan or a photo of a printed page.

    A scan knows its resolution. A photo does not, but shows the edges of the paper, whose size is known.

    Raises:
        InputError: the four targets are not in the picture, or a photo does not show the paper's edges.
        ImageError: not an image, or a resolution that is not positive.
    """
    pixels = read_image(path)
    try:
        if dpi is not None:
            return check_raster(pixels, dpi)
        resolution = _scan_resolution(path)
        if resolution is not None:
            check = check_raster(pixels, resolution)
            if check.residual_mm <= FLAT_MM:
                return check
        return check_photo(pixels, paper)
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error


def _scan_resolution(path: Path) -> tuple[float, float] | None:
    """Dots per inch that a scanner wrote along x and y; None for cameras, whose figure means nothing."""
    with Image.open(path) as image:
        dpi = image.info.get("dpi")
        exif = image.getexif()
        by_camera = any(tag in exif.get_ifd(0x8769) or tag in exif for tag in EXPOSURE_TAGS)
    if by_camera or not dpi or min(dpi) < LEAST_SCAN_DPI:
        return None
    return float(dpi[0]), float(dpi[1])


def check_raster(pixels: NDArray[np.uint8], dpi: float | tuple[float, float]) -> SheetCheck:
    """Measure a picture of known resolution: a rendered page or a scan, in any of the directions it can lie.

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
    return judge("scan", _raster_scale(_gray(pixels), (along[0] / MM_PER_INCH, along[1] / MM_PER_INCH)), None)


def check_photo(pixels: NDArray[np.uint8], paper: Paper | None = None) -> SheetCheck:
    """Measure a photo that shows the whole page on a darker table: the paper's edges are the measure.

    Args:
        pixels: (H, W) or (H, W, 3).
        paper: recognized among the known papers where None.

    Raises:
        InputError: the four targets or the paper's edges are not in the picture.
    """
    gray = _gray(pixels)
    mirrored, frame, corners_px = _detect(gray)
    scale, found = measure_photo(gray[:, ::-1] if mirrored else gray, frame, corners_px, paper)
    return judge("photo", scale, None, mirrored=mirrored, paper=found)


def _gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.size == 0:
        raise ImageError(f"pixels: {pixels.dtype} {pixels.shape} given, (H, W) or (H, W, 3) uint8 needed")
    if pixels.ndim == 2:
        return pixels
    return np.rint(pixels[..., :3] @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def _detect(gray: NDArray[np.uint8]) -> tuple[bool, TargetFrame, dict[int, NDArray[np.float64]]]:
    """Whether the picture is mirrored, its frame, and the corners of each target in the picture or its mirror image."""
    corners_px = _find_through_noise(gray)
    mirrored = not corners_px
    if mirrored:
        # A mirrored target decodes only when it is mirrored back.
        corners_px = _find_through_noise(np.ascontiguousarray(gray[:, ::-1]))
    return mirrored and bool(corners_px), frame_of(set(corners_px)), corners_px


def _find_through_noise(gray: NDArray[np.uint8]) -> dict[int, NDArray[np.float64]]:
    """The targets; where one is missing, of the picture smoothed."""
    import cv2

    found = find_targets(gray)
    for sigma_px in SMOOTHINGS_PX:
        if not 0 < len(found) < 4:
            break
        smooth = find_targets(np.asarray(cv2.GaussianBlur(gray, (0, 0), sigma_px), dtype=np.uint8))
        found = max(found, smooth, key=len)
    return found


def _raster_scale(gray: NDArray[np.uint8], per_mm: tuple[float, float]) -> Scale:
    mirrored, frame, corners_px = _detect(gray)
    centers_px = {code: corners.mean(axis=0) for code, corners in corners_px.items()}
    if mirrored:
        centers_px = {code: np.array([gray.shape[1] - x, y]) for code, (x, y) in centers_px.items()}
    return measure_scale(frame, {code: center / per_mm for code, center in centers_px.items()})


def _vector_scale(centers_mm: dict[int, NDArray[np.float64]]) -> Scale | None:
    try:
        return measure_scale(frame_of(set(centers_mm)), centers_mm)
    except InputError:
        return None
