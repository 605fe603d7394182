"""What is drawn on and around the mask: cut line, folds, welds, nose wire, ear loops."""

from __future__ import annotations

from maskdesign.sheets.drafting import BOLD, GRAY, INK, Pen
from maskdesign.sheets.layout import Box, SheetLayout
from maskdesign.sheets.piece import Artwork, Piece
from maskdesign.sheets.template import sheet_template

SMALL_PT = 5.2
LOOP_RADIUS_MM = 1.1
WELD_LABEL_MM = 11.0


def draw_artwork(pen: Pen, mask: Box, artwork: Artwork) -> None:
    """Draw the cells, those of one color as one path, and the labels; the picture lies below them."""
    colors = dict.fromkeys(cell.color for cell in artwork.cells)
    for color in colors:
        rings = [cell.ring_mm for cell in artwork.cells if cell.color == color]
        pen.polygon(color, *([(mask.x_mm + u, mask.y_mm + v) for u, v in ring] for ring in rings))
    for label in artwork.labels:
        place = (mask.x_mm + label.u_mm, mask.y_mm + label.v_mm)
        pen.text(label.words, *place, label.size_pt, color=label.color, anchor="middle")


def draw_outline(pen: Pen, layout: SheetLayout, piece: Piece) -> None:
    """Draw every line of the mask. Only the folds and the cut line touch the texture."""
    _draw_folds(pen, layout.mask, piece)
    mask = layout.mask
    pen.rectangle(sheet_template().lines["cut"], mask.x_mm, mask.y_mm, mask.width_mm, mask.height_mm)
    if piece.weld_mm <= 0:
        return
    _draw_welds(pen, mask, piece)
    _draw_ear_loops(pen, mask, piece)
    _draw_nose_wire(pen, mask, piece)
    pen.text("BOTTOM EDGE (CHIN)", mask.middle_mm, mask.bottom_mm + 4, SMALL_PT, BOLD, INK, "middle")


def _draw_folds(pen: Pen, mask: Box, piece: Piece) -> None:
    for number, (v_mm, kind) in enumerate(piece.fold_rows_mm):
        y_mm, style = mask.y_mm + v_mm, sheet_template().lines[kind]
        if piece.fold_lines:
            pen.line(style, (mask.x_mm, y_mm), (mask.right_mm, y_mm))
        fold_symbol(pen, kind, mask.x_mm - 1.2, y_mm, -1)
        fold_symbol(pen, kind, mask.right_mm + 1.2, y_mm, 1)
        pen.text(f"{v_mm:g}", mask.x_mm - 4.6, y_mm + 0.65, SMALL_PT, color=GRAY, anchor="end")
        label = f"{kind[0].upper()}{number // 2 + 1}"
        pen.text(label, mask.right_mm + 4.6, y_mm + 0.65, SMALL_PT, BOLD, style.color)


def fold_symbol(pen: Pen, kind: str, x_mm: float, y_mm: float, direction: int) -> None:
    """A triangle that points at the fold's end: filled for a mountain fold, open for a valley fold.

    Args:
        direction: 1 draws it to the right of its tip, -1 to the left.
    """
    style = sheet_template().lines[kind]
    back_mm = x_mm + direction * 2.6
    tip, upper, lower = (x_mm, y_mm), (back_mm, y_mm - 0.9), (back_mm, y_mm + 0.9)
    if kind == "mountain":
        pen.polygon(style.color, (tip, upper, lower))
    else:
        inner_mm = back_mm - direction * 0.25
        hole = ((x_mm + direction * 0.75, y_mm), (inner_mm, y_mm - 0.56), (inner_mm, y_mm + 0.56))
        pen.polygon(style.color, (tip, upper, lower), hole)


def _draw_welds(pen: Pen, mask: Box, piece: Piece) -> None:
    for x_mm in (mask.x_mm, mask.right_mm - piece.weld_mm):
        hatching(pen, x_mm, mask.y_mm - 3.2, piece.weld_mm, 2.2)
        hatching(pen, x_mm, mask.bottom_mm + 1.0, piece.weld_mm, 2.2)
    label = f"weld {piece.weld_mm:g} mm"
    for y_mm in (mask.y_mm - 1.5, mask.bottom_mm + 2.7):
        pen.text(label, mask.x_mm + piece.weld_mm + 1.2, y_mm, SMALL_PT, color=GRAY)
        pen.text(label, mask.right_mm - piece.weld_mm - 1.2, y_mm, SMALL_PT, color=GRAY, anchor="end")


def hatching(pen: Pen, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> None:
    """A box filled with strokes at 45 degrees, as drafters mark a welded strip."""
    fine = sheet_template().lines["fine"]
    pen.rectangle(fine, x_mm, y_mm, width_mm, height_mm)
    step_mm, offset_mm = 1.0, 1.0 - height_mm
    while offset_mm < width_mm:
        start_mm, end_mm = max(offset_mm, 0.0), min(offset_mm + height_mm, width_mm)
        foot, head = y_mm + height_mm - (start_mm - offset_mm), y_mm + height_mm - (end_mm - offset_mm)
        pen.line(fine, (x_mm + start_mm, foot), (x_mm + end_mm, head))
        offset_mm += step_mm


def _draw_ear_loops(pen: Pen, mask: Box, piece: Piece) -> None:
    inset_mm = piece.weld_mm / 2
    for edge_mm, direction in ((mask.x_mm, -1), (mask.right_mm, 1)):
        for y_mm, label_mm in ((mask.y_mm + inset_mm, -2.0), (mask.bottom_mm - inset_mm, 3.2)):
            ear_loop_symbol(pen, edge_mm + direction * 1.2, y_mm, direction)
            anchor = "end" if direction < 0 else "start"
            pen.text("ear loop", edge_mm + direction * 1.2, y_mm + label_mm, SMALL_PT, color=GRAY, anchor=anchor)


def ear_loop_symbol(pen: Pen, x_mm: float, y_mm: float, direction: int) -> None:
    """A ring on a stem whose end stands at the point where the loop is fastened."""
    mark = sheet_template().lines["mark"]
    ring_mm = x_mm + direction * (1.6 + LOOP_RADIUS_MM)
    pen.line(mark, (x_mm, y_mm), (ring_mm - direction * LOOP_RADIUS_MM, y_mm))
    pen.circle(mark, ring_mm, y_mm, LOOP_RADIUS_MM)


def _draw_nose_wire(pen: Pen, mask: Box, piece: Piece) -> None:
    between_labels_mm = mask.width_mm - 2 * (piece.weld_mm + WELD_LABEL_MM)
    length_mm = min(sheet_template().nose_wire_mm, max(between_labels_mm, mask.width_mm / 4))
    start_mm, y_mm = mask.middle_mm - length_mm / 2, mask.y_mm - 1.8
    nose_wire_symbol(pen, start_mm, y_mm, length_mm)
    label = f"TOP EDGE (NOSE)  ·  nose wire {length_mm:g} mm"
    pen.text(label, mask.middle_mm, y_mm - 1.6, SMALL_PT, BOLD, INK, "middle")


def nose_wire_symbol(pen: Pen, x_mm: float, y_mm: float, length_mm: float) -> None:
    """A dimension line: its end strokes stand where the wire ends."""
    mark, end_mm = sheet_template().lines["mark"], x_mm + length_mm
    pen.line(mark, (x_mm, y_mm), (end_mm, y_mm))
    pen.line(mark, (x_mm, y_mm - 0.9), (x_mm, y_mm + 0.9))
    pen.line(mark, (end_mm, y_mm - 0.9), (end_mm, y_mm + 0.9))
