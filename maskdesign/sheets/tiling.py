"""A piece larger than its paper: pages that show it in parts, which overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from maskdesign.sheets.arrange import largest_page
from maskdesign.sheets.page import Box, SheetLayout, Tile, drawn_size_mm, extent_mm, room_mm
from maskdesign.sheets.paper import Paper
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.template import Template

RING_MM = 1.5
"""Kept free around a tile: the ticks where two of them meet."""
SMALLEST_WINDOW_MM = 40.0


def tiles(paper: Paper, piece: Piece, template: Template) -> Iterator[SheetLayout]:
    """The pages that show a piece in parts; none where a page is too small for a part worth the name."""
    rules, page = template.page, largest_page(paper, template)
    if page is None:
        return
    widest_mm = paper.width_mm - 2 * rules.margin_mm - 2 * RING_MM
    most_mm = (widest_mm, page.footer.y_mm - page.header.bottom_mm - 2 * RING_MM)
    if min(most_mm) < max(SMALLEST_WINDOW_MM, 2 * rules.overlap_mm):
        return
    extent = extent_mm(piece, template)
    counts = [_count(length, window, rules.overlap_mm) for length, window in zip(extent, most_mm, strict=True)]
    size = [(length + rules.overlap_mm * (n - 1)) / n for length, n in zip(extent, counts, strict=True)]
    window = Box((paper.width_mm - size[0]) / 2, (paper.height_mm - size[1]) / 2, size[0], size[1])
    (width_mm, height_mm), (beside_mm, above_mm) = drawn_size_mm(piece, template), room_mm(template)
    for row in range(counts[1]):
        for column in range(counts[0]):
            x_mm = window.x_mm - column * (size[0] - rules.overlap_mm) + beside_mm
            y_mm = window.y_mm - row * (size[1] - rules.overlap_mm) + above_mm
            tile = Tile(tile_name(row, column), window, row, column, counts[1], counts[0], rules.overlap_mm)
            yield replace(page, masks=(Box(x_mm, y_mm, width_mm, height_mm),), tile=tile)


def _count(length_mm: float, window_mm: float, overlap_mm: float) -> int:
    return 1 + max(ceil((length_mm - window_mm - 1e-6) / (window_mm - overlap_mm)), 0)


def tile_name(row: int, column: int) -> str:
    """Letter of the row, number of the column: A1 is the upper left one."""
    letters = chr(ord("A") + row % 26)
    return f"{letters * (1 + row // 26)}{column + 1}"
