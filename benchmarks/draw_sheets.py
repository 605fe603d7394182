"""Draws the pictures of docs/printing.md, and prints what the check says of the photo among them.

python -m benchmarks.draw_sheets
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.sheet_photos import photograph
from maskdesign.evaluation.controls import random_texture
from maskdesign.files import write_image
from maskdesign.jobs.config import JobConfig
from maskdesign.optimize.texture import texture_pixels
from maskdesign.sheets.check import check_photo
from maskdesign.sheets.page import SheetInfo
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.preview import sheet_preview
from maskdesign.sheets.write import write_sheet

DOCS = Path(__file__).parents[1] / "docs" / "printing"
INFO = SheetInfo("example", "0123456789ab", "2025-11-22")
DPI, GAP_PX, TABLE = 52, 12, 205
PHOTO_WIDTH_PX = 420
PRINTED_AT = 0.97


def side_by_side(pages: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """(H, W, 3): pages of any size on a gray table, their upper edges in line."""
    height = max(len(page) for page in pages)
    framed = [
        np.pad(page, ((GAP_PX, GAP_PX + height - len(page)), (GAP_PX, 0), (0, 0)), constant_values=TABLE)
        for page in pages
    ]
    return np.pad(np.concatenate(framed, axis=1), ((0, 0), (0, GAP_PX), (0, 0)), constant_values=TABLE)


def main() -> None:
    config, a4 = JobConfig(), find_paper("a4")
    texture = texture_pixels(random_texture(config.texture, config.mask))
    with tempfile.TemporaryDirectory() as folder:
        sheet, tiles = Path(folder) / "a4.pdf", Path(folder) / "a5.pdf"
        write_sheet(sheet, texture, config.mask, INFO, a4)
        write_sheet(tiles, texture, config.mask, INFO, find_paper("a5"))
        whole = [sheet_preview(sheet, DPI, page) for page in (0, -1)]
        write_image(DOCS / "sheet.png", side_by_side(whole))
        write_image(DOCS / "tiles.png", side_by_side([sheet_preview(tiles, DPI, page) for page in (-2, -1)]))
        page = sheet_preview(sheet, 200)
    photo = photograph(page, (a4.width_mm, a4.height_mm), (PRINTED_AT, PRINTED_AT), np.random.default_rng(3))
    print(check_photo(photo, a4).verdict)
    size = (PHOTO_WIDTH_PX, round(PHOTO_WIDTH_PX * photo.shape[0] / photo.shape[1]))
    write_image(DOCS / "photo.png", np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8))


if __name__ == "__main__":
    main()
