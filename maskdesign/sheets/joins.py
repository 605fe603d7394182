"""Tiles: the ticks where they meet, and the map that shows how."""

from __future__ import annotations

from maskdesign.sheets.drafting import GRAY, INK, Pen
from maskdesign.sheets.page import Box, SheetLayout, Tile
from maskdesign.sheets.tiling import RING_MM, tile_name

SMALL_PT = 5.2
PAPER_GRAY, MASK_GRAY = "#f2f2f2", "#d9d9d9"


def draw_joins(pen: Pen, tile: Tile) -> None:
    """Draw ticks outside the window at the middle of each overlap: there a tile is cut, and meets its neighbor's."""
    window, half_mm = tile.window, tile.overlap_mm / 2
    for step, x_mm in ((-1, window.x_mm + half_mm), (1, window.right_mm - half_mm)):
        if 0 <= tile.column + step < tile.columns:
            neighbor = tile_name(tile.row, tile.column + step)
            for edge_mm, side in ((window.y_mm, -1), (window.bottom_mm, 1)):
                _tick(pen, (x_mm, edge_mm), (0, side))
                anchor, shift_mm = ("start", 1.1) if step > 0 else ("end", -1.1)
                baseline_mm = edge_mm - 0.2 if side < 0 else edge_mm + 1.6
                pen.text(neighbor, x_mm + shift_mm, baseline_mm, SMALL_PT, True, GRAY, anchor)
    for step, y_mm in ((-1, window.y_mm + half_mm), (1, window.bottom_mm - half_mm)):
        if 0 <= tile.row + step < tile.rows:
            neighbor = tile_name(tile.row + step, tile.column)
            for edge_mm, side in ((window.x_mm, -1), (window.right_mm, 1)):
                _tick(pen, (edge_mm, y_mm), (side, 0))
                baseline_mm = y_mm + (3.2 if step > 0 else -1.6)
                pen.text(
                    neighbor, edge_mm + side * 0.3, baseline_mm, SMALL_PT, True, GRAY, "end" if side < 0 else "start"
                )


def _tick(pen: Pen, foot_mm: tuple[float, float], away: tuple[int, int]) -> None:
    """A triangle that points at the edge of the window: two of them meet tip to tip, as on sewing patterns."""
    (x_mm, y_mm), (dx, dy) = foot_mm, away
    base = x_mm + dx * RING_MM * 0.85, y_mm + dy * RING_MM * 0.85
    left, right = (base[0] - dy * 0.7, base[1] - dx * 0.7), (base[0] + dy * 0.7, base[1] + dx * 0.7)
    pen.polygon(INK, (foot_mm, left, right))


def draw_map(pen: Pen, box: Box, plan: list[SheetLayout], first_page: int) -> None:
    """Draw how the pages belong together: the tiles of one mask side by side, or the masks of each page.

    Args:
        box: where; the map is as large as fits.
        plan: the pages with masks.
        first_page: number of the first of them.
    """
    if plan[0].tile is not None:
        _draw_tile_map(pen, box, plan, first_page)
        return
    widest_mm, tallest_mm = plan[0].paper.width_mm, plan[0].paper.height_mm
    shown = plan[:4]
    scale = min(box.height_mm / tallest_mm, (box.width_mm / len(shown) - 3) / widest_mm)
    for number, page in enumerate(shown):
        x_mm = box.x_mm + number * (widest_mm * scale + 3)
        pen.patch(PAPER_GRAY, Box(x_mm, box.y_mm, widest_mm * scale, tallest_mm * scale))
        for mask in page.masks:
            part = Box(
                x_mm + mask.x_mm * scale, box.y_mm + mask.y_mm * scale, mask.width_mm * scale, mask.height_mm * scale
            )
            pen.patch(MASK_GRAY, part)
            pen.rectangle(pen.lines.fine, part)
            _label(pen, part, f"page {first_page + number}")


def _draw_tile_map(pen: Pen, box: Box, plan: list[SheetLayout], first_page: int) -> None:
    tile, mask = plan[0].tile, plan[0].masks[0]
    assert tile is not None
    step = [length - tile.overlap_mm for length in (tile.window.width_mm, tile.window.height_mm)]
    total = [step[0] * tile.columns + tile.overlap_mm, step[1] * tile.rows + tile.overlap_mm]
    scale = min(box.width_mm / total[0], box.height_mm / total[1])
    left_mm, top_mm = box.x_mm, box.y_mm
    pen.patch(PAPER_GRAY, Box(left_mm, top_mm, total[0] * scale, total[1] * scale))
    offset = (mask.x_mm - tile.window.x_mm) * scale, (mask.y_mm - tile.window.y_mm) * scale
    pen.patch(MASK_GRAY, Box(left_mm + offset[0], top_mm + offset[1], mask.width_mm * scale, mask.height_mm * scale))
    for page in plan[: tile.rows * tile.columns]:
        part = page.tile
        assert part is not None
        place = Box(
            left_mm + part.column * step[0] * scale,
            top_mm + part.row * step[1] * scale,
            part.window.width_mm * scale,
            part.window.height_mm * scale,
        )
        pen.rectangle(pen.lines.mark, place)
        _label(pen, place, f"{part.name}  ·  page {first_page + part.row * part.columns + part.column}")


def _label(pen: Pen, box: Box, words: str) -> None:
    pen.text(
        words, box.middle_mm, box.y_mm + box.height_mm / 2 + 1, 7, True, anchor="middle", widest_mm=box.width_mm - 1
    )
