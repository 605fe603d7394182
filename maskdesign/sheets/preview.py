"""A sheet as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.sheets.raster import open_page, render_page


def sheet_preview(path: Path, dpi: float = 80) -> NDArray[np.uint8]:
    """The page of a sheet as (H, W, 3) uint8 sRGB.

    Raises:
        InputError: not a readable PDF of one page.
    """
    with open_page(path) as page:
        return render_page(page, dpi)
