"""What is drawn away from the mask: targets, header, ruler, test squares, legend, color strip."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil

import numpy as np

from maskdesign.sheets.drafting import BOLD, GRAY, POINTS_PER_MM, REGULAR, Pen
from maskdesign.sheets.layout import Box, SheetInfo, SheetLayout
from maskdesign.sheets.outline import ear_loop_symbol, fold_symbol, hatching, nose_wire_symbol
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.targets import FORM_NAME, MODULES, target_modules
from maskdesign.sheets.template import sheet_template

CROSS_INSET_MM = 15.0
CROSS_RADIUS_MM = 1.6
LEGEND_SAMPLE_MM, LEGEND_ROW_MM = 16.0, 4.6
PRIMARIES = (("R", "#ff0000"), ("G", "#00ff00"), ("B", "#0000ff"))
SECONDARIES = (("C", "#00ffff"), ("M", "#ff00ff"), ("Y", "#ffff00"))
GRAYS = (("black", "#000000"), ("25 %", "#404040"), ("50 %", "#808080"), ("75 %", "#bfbfbf"), ("white", "#ffffff"))
GROUP_GAP_MM = 3.0
PRINTING_NOTES = (
    "Print at 100 % (actual size), no fit to page.",
    "Before cutting measure both squares; crosses: {across:g} × {down:g} mm.",
    "Paper/fabric overlay, not a medical device.",
)


def draw_targets(pen: Pen, layout: SheetLayout) -> None:
    """Draw the coded targets, each as a form of its own whose name carries its code, and the crosses beside them."""
    half_mm = sheet_template().target_mm / 2
    for code, (x_mm, y_mm) in zip(layout.frame.ids, layout.frame.centers_mm, strict=True):
        _define_target(pen, code)
        pen.canvas.saveState()
        pen.canvas.translate(*pen.points(layout.content.x_mm + half_mm + x_mm, layout.content.y_mm + half_mm + y_mm))
        pen.canvas.doForm(f"{FORM_NAME}{code}")
        pen.canvas.restoreState()
    for band in (layout.header, layout.footer):
        y_mm = band.y_mm + half_mm
        _draw_cross(pen, band.x_mm - half_mm + CROSS_INSET_MM, y_mm)
        _draw_cross(pen, band.right_mm + half_mm - CROSS_INSET_MM, y_mm)


def _define_target(pen: Pen, code: int) -> None:
    side_mm = sheet_template().target_mm
    half_mm, module_mm = side_mm / 2, side_mm / MODULES
    # In the form's own frame the center is the origin, so that its placement alone says where the target is.
    local = Pen(pen.canvas, 0.0)
    reach = ceil(half_mm * POINTS_PER_MM)
    pen.canvas.beginForm(f"{FORM_NAME}{code}", -reach, -reach, reach, reach)
    # One path with holes: rasterizers move lone rectangles to whole pixels, half a pixel wrong at every edge.
    corner_mm = np.argwhere(~target_modules(code))[:, ::-1] * module_mm - half_mm
    holes = [_square(float(x_mm), float(y_mm), module_mm) for x_mm, y_mm in corner_mm]
    local.polygon("#000000", _square(-half_mm, -half_mm, side_mm), *holes)
    pen.canvas.endForm()


def _square(x_mm: float, y_mm: float, side_mm: float) -> list[tuple[float, float]]:
    right_mm, bottom_mm = x_mm + side_mm, y_mm + side_mm
    return [(x_mm, y_mm), (right_mm, y_mm), (right_mm, bottom_mm), (x_mm, bottom_mm)]


def _draw_cross(pen: Pen, x_mm: float, y_mm: float) -> None:
    fine = sheet_template().lines["fine"]
    pen.circle(fine, x_mm, y_mm, CROSS_RADIUS_MM)
    pen.line(fine, (x_mm - 2.6, y_mm), (x_mm + 2.6, y_mm))
    pen.line(fine, (x_mm, y_mm - 2.6), (x_mm, y_mm + 2.6))


def draw_header(pen: Pen, layout: SheetLayout, piece: Piece, info: SheetInfo) -> None:
    """Draw the title and what identifies the design, between the upper targets."""
    left_mm = layout.header.x_mm + CROSS_INSET_MM + 1.5
    width_mm, y_mm = layout.header.width_mm - 2 * (CROSS_INSET_MM + 1.5), layout.header.y_mm
    pen.text(piece.title, left_mm, y_mm + 3.6, 10.5, BOLD)
    pen.text(piece.subtitle, left_mm + width_mm, y_mm + 3.6, 7, color=GRAY, anchor="end")
    identity = f"Run {info.run_id}   ·   Config {info.config_hash}   ·   {info.date}   ·   {layout.paper.name}"
    pen.text(identity, left_mm, y_mm + 7.6, 7, widest_mm=width_mm)


def draw_ruler(pen: Pen, layout: SheetLayout) -> None:
    """Draw a ruler in millimeters, numbered in centimeters, between the lower targets."""
    length_mm = sheet_template().ruler_mm
    mark, fine = sheet_template().lines["mark"], sheet_template().lines["fine"]
    start_mm, y_mm = layout.footer.middle_mm - length_mm / 2, layout.footer.y_mm + 1.2
    pen.line(mark, (start_mm, y_mm), (start_mm + length_mm, y_mm))
    for tick in range(round(length_mm) + 1):
        depth_mm = 3.6 if tick % 10 == 0 else 2.6 if tick % 5 == 0 else 1.7
        style = mark if tick % 10 == 0 else fine
        pen.line(style, (start_mm + tick, y_mm), (start_mm + tick, y_mm + depth_mm))
    for tick in range(0, round(length_mm) + 1, 10):
        pen.text(f"{tick // 10}", start_mm + tick, y_mm + 6.2, 6, anchor="middle")
    pen.text("cm", start_mm + length_mm + 2.4, y_mm + 6.2, 6, color=GRAY)


def draw_squares(pen: Pen, layout: SheetLayout) -> None:
    """Draw the two test squares, one in each unit, side by side: nested ones are taken for each other."""
    inch = sheet_template().square_inch
    _draw_square(pen, layout.metric, f"{layout.metric.width_mm:g} mm")
    _draw_square(pen, layout.imperial, f"{inch:g} inch")


def _draw_square(pen: Pen, box: Box, size: str) -> None:
    pen.rectangle(sheet_template().lines["mark"], box.x_mm, box.y_mm, box.width_mm, box.height_mm)
    center_mm = box.y_mm + box.height_mm / 2
    pen.text(size, box.middle_mm, center_mm, 14, BOLD, anchor="middle")
    pen.text("each side, line middle to line middle", box.middle_mm, center_mm + 4.5, 6, color=GRAY, anchor="middle")


def draw_notes(pen: Pen, layout: SheetLayout, piece: Piece) -> None:
    """Draw the legend of the lines and the printing notes, spread over the height of the squares."""
    box = layout.notes
    pen.text("LINES", box.x_mm, box.y_mm + 1.9, 6, BOLD, GRAY)
    words_mm = box.x_mm + LEGEND_SAMPLE_MM + 4
    for number, (draw_sample, words) in enumerate(LEGEND if piece.weld_mm > 0 else LEGEND[:1]):
        y_mm = box.y_mm + 5.6 + LEGEND_ROW_MM * number
        draw_sample(pen, box.x_mm, y_mm)
        pen.text(words, words_mm, y_mm + 0.9, 7, widest_mm=box.right_mm - words_mm)
    pen.text("PRINTING", box.x_mm, box.bottom_mm - 14.2, 6, BOLD, GRAY)
    across_mm = layout.frame.width_mm - 2 * CROSS_INSET_MM
    for number, note in enumerate(PRINTING_NOTES):
        words = note.format(across=across_mm, down=layout.frame.height_mm)
        font = BOLD if number == 0 else REGULAR
        baseline_mm = box.bottom_mm - 9.6 + 4.6 * number
        pen.text(words, box.x_mm, baseline_mm, 8, font, widest_mm=box.width_mm)


def _sample_line(name: str, pen: Pen, x_mm: float, y_mm: float) -> None:
    pen.line(sheet_template().lines[name], (x_mm, y_mm), (x_mm + LEGEND_SAMPLE_MM, y_mm))


def _sample_fold(kind: str, pen: Pen, x_mm: float, y_mm: float) -> None:
    pen.line(sheet_template().lines[kind], (x_mm, y_mm), (x_mm + LEGEND_SAMPLE_MM - 3.8, y_mm))
    fold_symbol(pen, kind, x_mm + LEGEND_SAMPLE_MM - 2.6, y_mm, 1)


def _sample_weld(pen: Pen, x_mm: float, y_mm: float) -> None:
    hatching(pen, x_mm, y_mm - 1.1, LEGEND_SAMPLE_MM, 2.2)


def _sample_loop(pen: Pen, x_mm: float, y_mm: float) -> None:
    ear_loop_symbol(pen, x_mm + LEGEND_SAMPLE_MM / 2 - 1.9, y_mm, 1)


def _sample_wire(pen: Pen, x_mm: float, y_mm: float) -> None:
    nose_wire_symbol(pen, x_mm, y_mm, LEGEND_SAMPLE_MM)


LEGEND: tuple[tuple[Callable[[Pen, float, float], None], str], ...] = (
    (partial(_sample_line, "cut"), "Cut along the outline"),
    (partial(_sample_fold, "mountain"), "Mountain fold (M): ridge toward you"),
    (partial(_sample_fold, "valley"), "Valley fold (V): ridge away from you"),
    (_sample_weld, "Weld or sew both sides, pleats shut"),
    (_sample_wire, "Nose wire, behind the top edge"),
    (_sample_loop, "Ear loop, one end at each corner"),
)


def draw_strip(pen: Pen, layout: SheetLayout, own: list[str]) -> None:
    """Draw the color patches: primaries and secondaries, grays, then the texture's own colors.

    Args:
        own: "#rrggbb" of the texture's colors.
    """
    groups = [[*PRIMARIES, *SECONDARIES], list(GRAYS)]
    if own:
        groups.append([(color, color) for color in own])
    patches = sum(len(group) for group in groups)
    width_mm = (layout.strip.width_mm - GROUP_GAP_MM * (len(groups) - 1)) / patches
    x_mm = layout.strip.x_mm
    for group in groups:
        for label, color in group:
            _draw_patch(pen, Box(x_mm, layout.strip.y_mm, width_mm, layout.strip.height_mm), label, color)
            x_mm += width_mm
        x_mm += GROUP_GAP_MM


def _draw_patch(pen: Pen, box: Box, label: str, color: str) -> None:
    pen.patch(color, box.x_mm, box.y_mm, box.width_mm, box.height_mm)
    pen.rectangle(sheet_template().lines["fine"], box.x_mm, box.y_mm, box.width_mm, box.height_mm)
    pen.text(label, box.middle_mm, box.bottom_mm + 2.3, 5, color=GRAY, anchor="middle", widest_mm=box.width_mm - 0.5)
