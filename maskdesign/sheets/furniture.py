"""What is drawn away from the mask: targets, header, ruler, test squares, legend, color strip."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from maskdesign.sheets.drafting import GRAY, Pen
from maskdesign.sheets.outline import ear_loop_symbol, fold_symbol, hatching, nose_wire_symbol
from maskdesign.sheets.page import Box, SheetLayout
from maskdesign.sheets.paper import MM_PER_INCH
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.targets import MODULES, target_modules, target_rules
from maskdesign.sheets.template import Template

CROSS_INSET_MM = 15.0
CROSS_RADIUS_MM = 1.6
WIDE_HEADER_MM = 130.0
LEGEND_SAMPLE_MM, LEGEND_ROW_MM, LEGEND_TOP_MM = 16.0, 4.6, 5.6
PRINTING_MM = 17.0
PRIMARIES = (("R", "#ff0000"), ("G", "#00ff00"), ("B", "#0000ff"))
SECONDARIES = (("C", "#00ffff"), ("M", "#ff00ff"), ("Y", "#ffff00"))
GRAYS = (("black", "#000000"), ("25 %", "#404040"), ("50 %", "#808080"), ("75 %", "#bfbfbf"), ("white", "#ffffff"))
GROUP_GAP_MM = 3.0
PRINT_TRUE = "Print at 100 % (actual size), no fit to page."
NOT_MEDICAL = "Paper/fabric overlay, not a medical device."


def draw_targets(pen: Pen, layout: SheetLayout) -> None:
    """Draw the coded targets and the registration crosses beside them; no layer holds them, so none can hide them."""
    half_mm, module_mm = target_rules().side_mm / 2, target_rules().side_mm / MODULES
    for code, (x_mm, y_mm) in zip(layout.frame.ids, layout.frame.centers_mm, strict=True):
        # One path with holes: rasterizers move lone rectangles to whole pixels, half a pixel wrong at every edge.
        corner_mm = np.argwhere(~target_modules(code))[:, ::-1] * module_mm - half_mm
        rings = [
            _square(-half_mm, -half_mm, 2 * half_mm),
            *(_square(float(x), float(y), module_mm) for x, y in corner_mm),
        ]
        center_mm = layout.content.x_mm + half_mm + x_mm, layout.content.y_mm + half_mm + y_mm
        pen.canvas.target(code, *center_mm, rings)
    for band in (layout.header, layout.footer):
        y_mm = band.y_mm + half_mm
        _draw_cross(pen, band.x_mm - half_mm + CROSS_INSET_MM, y_mm)
        _draw_cross(pen, band.right_mm + half_mm - CROSS_INSET_MM, y_mm)


def _square(x_mm: float, y_mm: float, side_mm: float) -> list[tuple[float, float]]:
    right_mm, bottom_mm = x_mm + side_mm, y_mm + side_mm
    return [(x_mm, y_mm), (right_mm, y_mm), (right_mm, bottom_mm), (x_mm, bottom_mm)]


def _draw_cross(pen: Pen, x_mm: float, y_mm: float) -> None:
    fine = pen.lines.fine
    pen.circle(fine, x_mm, y_mm, CROSS_RADIUS_MM)
    pen.line(fine, (x_mm - 2.6, y_mm), (x_mm + 2.6, y_mm))
    pen.line(fine, (x_mm, y_mm - 2.6), (x_mm, y_mm + 2.6))


def draw_header(pen: Pen, layout: SheetLayout, title: str, subtitle: str, page: str, identity: str) -> None:
    """Draw the title and what identifies page and design, between the upper targets."""
    left_mm = layout.header.x_mm + CROSS_INSET_MM + 1.5
    width_mm, y_mm = layout.header.width_mm - 2 * (CROSS_INSET_MM + 1.5), layout.header.y_mm
    page_mm = pen.bold.width_mm(page, 8)
    pen.text(page, left_mm + width_mm, y_mm + 3.6, 8, True, anchor="end")
    pen.text(title, left_mm, y_mm + 3.6, 10.5, True, widest_mm=width_mm - page_mm - 4)
    right_mm = 0.0
    if width_mm >= WIDE_HEADER_MM:
        right_mm = pen.regular.width_mm(subtitle, 7) + 4
        pen.text(subtitle, left_mm + width_mm, y_mm + 7.6, 7, color=GRAY, anchor="end")
    pen.text(identity, left_mm, y_mm + 7.6, 7, widest_mm=width_mm - right_mm)


def draw_ruler(pen: Pen, layout: SheetLayout, length_mm: float) -> None:
    """Draw a ruler in millimeters, numbered in centimeters, between the lower targets, where it fits."""
    if length_mm + 8 > layout.footer.width_mm - 2 * CROSS_INSET_MM:
        return
    mark, fine = pen.lines.mark, pen.lines.fine
    start_mm, y_mm = layout.footer.middle_mm - length_mm / 2, layout.footer.y_mm + 1.2
    pen.line(mark, (start_mm, y_mm), (start_mm + length_mm, y_mm))
    for tick in range(round(length_mm) + 1):
        depth_mm = 3.6 if tick % 10 == 0 else 2.6 if tick % 5 == 0 else 1.7
        style = mark if tick % 10 == 0 else fine
        pen.line(style, (start_mm + tick, y_mm), (start_mm + tick, y_mm + depth_mm))
    for tick in range(0, round(length_mm) + 1, 10):
        pen.text(f"{tick // 10}", start_mm + tick, y_mm + 6.2, 6, anchor="middle")
    pen.text("cm", start_mm + length_mm + 2.4, y_mm + 6.2, 6, color=GRAY)


def draw_squares(pen: Pen, metric: Box, imperial: Box) -> None:
    """Draw the two test squares, one in each unit, side by side: nested ones are taken for each other."""
    _draw_square(pen, metric, f"{metric.width_mm:g} mm")
    _draw_square(pen, imperial, f"{imperial.width_mm / MM_PER_INCH:g} inch")


def _draw_square(pen: Pen, box: Box, size: str) -> None:
    pen.rectangle(pen.lines.mark, box)
    center_mm = box.y_mm + box.height_mm / 2
    pen.text(size, box.middle_mm, center_mm, 14, True, anchor="middle")
    words = "each side, line middle to line middle"
    pen.text(words, box.middle_mm, center_mm + 4.5, 6, color=GRAY, anchor="middle", widest_mm=box.width_mm - 4)


def draw_notes(pen: Pen, layout: SheetLayout, box: Box, piece: Piece, template: Template) -> None:
    """Draw the legend of the lines and the printing notes, spread over the height of the squares."""
    draw_legend(pen, box, piece, template, box.height_mm - PRINTING_MM)
    pen.text("PRINTING", box.x_mm, box.bottom_mm - 14.2, 6, True, GRAY)
    across_mm = layout.frame.width_mm - 2 * CROSS_INSET_MM
    crosses = f"Before cutting measure both squares; crosses: {across_mm:g} × {layout.frame.height_mm:g} mm."
    for number, words in enumerate((PRINT_TRUE, crosses, NOT_MEDICAL)):
        baseline_mm = box.bottom_mm - 9.6 + 4.6 * number
        pen.text(words, box.x_mm, baseline_mm, 8, number == 0, widest_mm=box.width_mm)


def draw_legend(pen: Pen, box: Box, piece: Piece, template: Template, tallest_mm: float) -> None:
    """Draw a sample of every line that the piece has, and what it means, closer together where height lacks."""
    rows = legend(piece, template)
    row_mm = min(LEGEND_ROW_MM, (tallest_mm - LEGEND_TOP_MM) / len(rows))
    pen.text("LINES", box.x_mm, box.y_mm + 1.9, 6, True, GRAY)
    words_mm = box.x_mm + LEGEND_SAMPLE_MM + 4
    for number, (draw_sample, words) in enumerate(rows):
        y_mm = box.y_mm + LEGEND_TOP_MM + row_mm * number
        draw_sample(pen, box.x_mm, y_mm)
        pen.text(words, words_mm, y_mm + 0.9, 7, widest_mm=box.right_mm - words_mm)


def legend(piece: Piece, template: Template) -> list[tuple[Callable[[Pen, float, float], None], str]]:
    """Samples and meanings of the lines that the piece has."""
    rows: list[tuple[Callable[[Pen, float, float], None], str]] = [
        (partial(_sample_line, "cut"), "Cut along this line")
    ]
    if template.piece.seam_mm > 0:
        rows.append((partial(_sample_line, "seam"), f"Seam, {template.piece.seam_mm:g} mm inside the cut"))
    if piece.fold_rows_mm:
        rows.append((partial(_sample_fold, "mountain"), "Mountain fold (M): ridge toward you"))
        rows.append((partial(_sample_fold, "valley"), "Valley fold (V): ridge away from you"))
    if piece.weld_mm > 0:
        rows.append((_sample_weld, "Weld or sew both sides, pleats shut"))
        rows.append((_sample_wire, "Nose wire, behind the top edge"))
        rows.append((_sample_loop, "Ear loop, one end at each corner"))
    return rows


def _sample_line(name: str, pen: Pen, x_mm: float, y_mm: float) -> None:
    pen.line(getattr(pen.lines, name), (x_mm, y_mm), (x_mm + LEGEND_SAMPLE_MM, y_mm))


def _sample_fold(kind: str, pen: Pen, x_mm: float, y_mm: float) -> None:
    pen.line(getattr(pen.lines, kind), (x_mm, y_mm), (x_mm + LEGEND_SAMPLE_MM - 3.8, y_mm))
    fold_symbol(pen, kind, x_mm + LEGEND_SAMPLE_MM - 2.4, y_mm, 1)


def _sample_weld(pen: Pen, x_mm: float, y_mm: float) -> None:
    hatching(pen, Box(x_mm, y_mm - 1.1, LEGEND_SAMPLE_MM, 2.2))


def _sample_loop(pen: Pen, x_mm: float, y_mm: float) -> None:
    ear_loop_symbol(pen, x_mm + LEGEND_SAMPLE_MM / 2 - 1.9, y_mm, 1)


def _sample_wire(pen: Pen, x_mm: float, y_mm: float) -> None:
    nose_wire_symbol(pen, x_mm, y_mm, LEGEND_SAMPLE_MM)


def draw_strip(pen: Pen, strip: Box, own: list[str]) -> None:
    """Draw the color patches: primaries and secondaries, grays, then the texture's own colors.

    Args:
        own: "#rrggbb" of the texture's colors.
    """
    groups = [[*PRIMARIES, *SECONDARIES], list(GRAYS)]
    if own:
        groups.append([(color, color) for color in own])
    patches = sum(len(group) for group in groups)
    width_mm = (strip.width_mm - GROUP_GAP_MM * (len(groups) - 1)) / patches
    x_mm = strip.x_mm
    for group in groups:
        for label, color in group:
            _draw_patch(pen, Box(x_mm, strip.y_mm, width_mm, strip.height_mm), label, color)
            x_mm += width_mm
        x_mm += GROUP_GAP_MM


def _draw_patch(pen: Pen, box: Box, label: str, color: str) -> None:
    pen.patch(color, box)
    pen.rectangle(pen.lines.fine, box)
    pen.text(label, box.middle_mm, box.bottom_mm + 2.3, 5, color=GRAY, anchor="middle", widest_mm=box.width_mm - 0.5)
