"""A PDF's page as pixels, and the refusal of files that are no sheets."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.files import MAX_MEGAPIXELS, check_readable
from maskdesign.sheets.paper import MM_PER_INCH
from maskdesign.sheets.vectors import TooManyFormsError, placed_forms

POINTS_PER_INCH = 72
MAX_PDF_BYTES = 128 << 20
MAX_UNPACKED_BYTES = 256 << 20
MOST_PAGES = 64
SHORTEST_SIDE_MM, LONGEST_SIDE_MM = 20.0, 1500.0
REMEDY = "give the PDF that `maskdesign sheet` wrote"


@dataclass(frozen=True)
class Page:
    """An open page of a sheet.

    Attributes:
        picture: the pypdfium2 page.
        forms: name and placement of each form that the page draws, in its own units.
        mm_per_unit: millimeters of one unit; pdfium itself knows nothing of /UserUnit.
    """

    picture: Any
    forms: list[tuple[str, NDArray[np.float64]]]
    mm_per_unit: float


@contextmanager
def open_pages(path: Path) -> Iterator[list[Page]]:
    """Open the pages of a sheet.

    Raises:
        InputError: no such file, not a PDF, damaged, encrypted, of no page or more than 64, or too large.
    """
    import pikepdf
    import pypdfium2

    _check_file(path)
    try:
        with pikepdf.open(path, attempt_recovery=False) as document, closing(pypdfium2.PdfDocument(path)) as pictures:
            yield _pages(path, document, pictures)
    except pikepdf.PasswordError as error:
        raise InputError(f"{path}: is encrypted; save it without a password, or {REMEDY}") from error
    except (pikepdf.PdfError, pypdfium2.PdfiumError) as error:
        raise InputError(f"{path}: is damaged or truncated; {REMEDY}") from error


def _pages(path: Path, document: Any, pictures: Any) -> list[Page]:
    count = len(document.pages)
    if not 0 < count <= MOST_PAGES:
        raise InputError(f"{path}: has {count} pages, a sheet has 1 to {MOST_PAGES}; {REMEDY}")
    try:
        _check_streams(path, document)
    except (TypeError, ValueError, AttributeError, OverflowError, zlib.error) as error:
        raise InputError(f"{path}: is damaged or truncated; {REMEDY}") from error
    return [_page(path, document.pages[number].obj, pictures, number) for number in range(count)]


def _page(path: Path, content: Any, pictures: Any, number: int) -> Page:
    try:
        mm_per_unit = MM_PER_INCH / POINTS_PER_INCH * float(content.get("/UserUnit", 1))
        # Before pdfium sees the page: it follows forms in forms as often as they are drawn.
        forms = placed_forms(content)
    except TooManyFormsError as error:
        raise InputError(f"{path}: {error}; {REMEDY}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: is damaged or truncated; {REMEDY}") from error
    page = Page(pictures[number], forms, mm_per_unit)
    width_mm, height_mm = page_size_mm(page)
    if not SHORTEST_SIDE_MM <= min(width_mm, height_mm) <= max(width_mm, height_mm) <= LONGEST_SIDE_MM:
        raise InputError(f"{path}: a page of {width_mm:.0f} x {height_mm:.0f} mm is no sheet; {REMEDY}")
    return page


def page_size_mm(page: Page) -> tuple[float, float]:
    """Width and height as the page is shown, turned by its /Rotate."""
    width, height = page.picture.get_size()
    return width * page.mm_per_unit, height * page.mm_per_unit


def _check_file(path: Path) -> None:
    check_readable(path)
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: is empty; {REMEDY}")
    if size > MAX_PDF_BYTES:
        raise InputError(f"{path}: {size >> 20} MiB exceed the limit of {MAX_PDF_BYTES >> 20} MiB; {REMEDY}")
    if not is_pdf(path):
        raise InputError(f"{path}: is not a PDF; {REMEDY}")


def is_pdf(path: Path) -> bool:
    """Whether a file begins as PDFs do; readers accept junk before the header, but no more than this."""
    with path.open("rb") as stream:
        return b"%PDF-" in stream.read(1024)


def _check_streams(path: Path, document: Any) -> None:
    import pikepdf

    unpacked = 0
    for item in document.objects:
        if not isinstance(item, pikepdf.Stream):
            continue
        megapixels = int(item.get("/Width", 0)) * int(item.get("/Height", 0)) / 1e6
        if megapixels > MAX_MEGAPIXELS:
            raise InputError(f"{path}: an image of {megapixels:.0f} megapixels, limit {MAX_MEGAPIXELS}; {REMEDY}")
        unpacked += _unpacked_bytes(item)
        if unpacked > MAX_UNPACKED_BYTES:
            raise InputError(f"{path}: unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB; {REMEDY}")


def _unpacked_bytes(stream: Any) -> int:
    packed = stream.read_raw_bytes()
    if str(stream.get("/Filter")) != "/FlateDecode":
        return len(packed)
    return len(zlib.decompressobj().decompress(packed, MAX_UNPACKED_BYTES + 1))


def render_page(page: Page, dpi: float, grayscale: bool = False) -> NDArray[np.uint8]:
    """Rasterize with pdfium.

    Returns:
        (H, W, 3) sRGB, or (H, W) where `grayscale`.

    Raises:
        InputError: the picture would exceed 50 megapixels.
    """
    width_mm, height_mm = page_size_mm(page)
    if width_mm * height_mm * (dpi / MM_PER_INCH) ** 2 > MAX_MEGAPIXELS * 1e6:
        raise InputError(
            f"{width_mm:.0f} x {height_mm:.0f} mm at {dpi:g} dpi exceed {MAX_MEGAPIXELS} megapixels; lower --dpi"
        )
    bitmap = page.picture.render(scale=dpi / MM_PER_INCH * page.mm_per_unit, grayscale=grayscale, rev_byteorder=True)
    pixels = bitmap.to_numpy()
    return np.array(pixels[..., 0] if grayscale and pixels.ndim == 3 else pixels)


def pixels_per_mm(page: Page, pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """The true resolution of `render_page`'s picture along x and y.

    pdfium stretches the page to whole pixels: taken for the dpi that was asked for, an A4 page of 300 dpi would
    measure up to 0.04 % wrong, 0.06 mm over 150 mm.
    """
    width_mm, height_mm = page_size_mm(page)
    return pixels.shape[1] / width_mm, pixels.shape[0] / height_mm
