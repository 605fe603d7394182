"""A sheet as pictures."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.files import write_image
from maskdesign.sheets.raster import open_pages, render_page


def sheet_preview(path: Path, dpi: float = 80, page: int = -1) -> NDArray[np.uint8]:
    """One page of a sheet as (H, W, 3) uint8 sRGB.

    Args:
        page: 0 is the first one; the last one, which shows a mask, unless another is named.

    Raises:
        InputError: not a readable PDF, or the picture would exceed 50 megapixels.
    """
    with open_pages(path) as pages:
        return render_page(pages[page], dpi)


def write_previews(path: Path, pdf: bytes, dpi: float) -> list[Path]:
    """Write every page of a sheet as a PNG that knows its resolution.

    Args:
        path: of the only page; NAME-1, NAME-2 and so on where there are several.
        pdf: the sheet.

    Returns:
        the files, in the order of the pages.
    """
    with tempfile.TemporaryDirectory() as folder:
        sheet = Path(folder) / "sheet.pdf"
        sheet.write_bytes(pdf)
        with open_pages(sheet) as pages:
            paths = page_paths(path, len(pages))
            for place, page in zip(paths, pages, strict=True):
                write_image(place, render_page(page, dpi), dpi)
    return paths


def page_paths(path: Path, count: int) -> list[Path]:
    """NAME for one page, NAME-1, NAME-2 and so on for several."""
    if count == 1:
        return [path]
    return [path.with_stem(f"{path.stem}-{number}") for number in range(1, count + 1)]
