"""What is drawn on and around a piece: texture, cut line, folds, welds, nose wire, ear loops."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import ceil

from maskdesign.geometry.polygon import grown
from maskdesign.sheets.drafting import GRAY, INK, Pen, Points
from maskdesign.sheets.page import Box
from maskdesign.sheets.piece import Artwork, Cell, Piece
from maskdesign.sheets.template import LineStyle, Template
from maskdesign.sheets.texture import PackedImage, check_texture, enlarge, extend, pack

SMALL_PT = 5.2
LOOP_RADIUS_MM = 1.1
WELD_LABEL_MM = 11.0
OFF_MM = 0.6
"""Between the bleed and what is drawn beside it."""


@dataclass(frozen=True)
class Print:
    """A piece made ready for paper: how it is drawn wherever it lies.

    Attributes:
        piece: what is cut out.
        artwork: what covers it.
        template: how.
        picture: the artwork's pixels with seam allowance and bleed, mirrored where asked for; None where it has none.
        reach_mm: how far the picture goes beyond the outline, (beside, above).
    """

    piece: Piece
    artwork: Artwork
    template: Template
    picture: PackedImage | None
    reach_mm: tuple[float, float]


def prepare(piece: Piece, artwork: Artwork, template: Template) -> Print:
    """Enlarge, extend, mirror and pack the picture.

    Raises:
        ImageError: the artwork's picture is not (H, W, 3) uint8.
    """
    if artwork.picture is None:
        return Print(piece, artwork, template, None, (0.0, 0.0))
    check_texture(artwork.picture)
    rules = template.piece
    size_mm = piece.width_mm / rules.stretch_x, piece.height_mm / rules.stretch_y
    fine = enlarge(artwork.picture, *size_mm, template.texture.dpi)
    # Whole pixels, so that those of the texture stay where they are.
    across_px, down_px = (
        ceil(rules.beyond_mm / length * count - 1e-9) for length, count in zip(size_mm, fine.shape[1::-1], strict=True)
    )
    reach_mm = (across_px * size_mm[0] / fine.shape[1], down_px * size_mm[1] / fine.shape[0])
    pixels = extend(fine, across_px, down_px)
    return Print(piece, artwork, template, pack(pixels[:, ::-1] if rules.mirrored else pixels), reach_mm)


def draw_piece(pen: Pen, ready: Print, mask: Box) -> None:
    """Draw a piece with everything on and around it.

    Args:
        mask: where its outline lies on the page.
    """
    artwork, piece, rules = ready.artwork, ready.piece, ready.template.piece
    with pen.canvas.layer("texture"):
        if ready.picture is not None:
            with pen.canvas.clipped(_area(ready, mask, rules.beyond_mm)):
                pen.canvas.picture(ready.picture, mask.grown(*ready.reach_mm))
        _draw_cells(pen, ready, mask, artwork.cells)
        for label in artwork.labels:
            place = _at(ready, mask, label.u_mm, label.v_mm)
            pen.text(label.words, *place, label.size_pt, color=label.color, anchor="middle")
    if ready.picture is not None and piece.chessboard:
        inside = nullcontext() if piece.outline_mm is None else pen.canvas.clipped(_area(ready, mask, 0.0))
        with pen.canvas.layer("chessboard"), inside:
            pen.patch("#ffffff", mask)
            _draw_cells(pen, ready, mask, piece.chessboard)
    with pen.canvas.layer("lines"):
        _draw_lines(pen, ready, mask)
    with pen.canvas.layer("notes"):
        _draw_fold_ends(pen, ready, mask)
        if piece.weld_mm > 0:
            _draw_marks(pen, ready, mask)


def _at(ready: Print, mask: Box, u_mm: float, v_mm: float) -> tuple[float, float]:
    """Place on the page of a point of the sheet."""
    rules = ready.template.piece
    along_mm = u_mm / rules.stretch_x
    x_mm = mask.right_mm - along_mm if rules.mirrored else mask.x_mm + along_mm
    return x_mm, mask.y_mm + v_mm / rules.stretch_y


def _area(ready: Print, mask: Box, beyond_mm: float) -> Box | Points:
    """The box, or the polygon where the piece has one, with so much around it."""
    if ready.piece.outline_mm is None:
        return mask.grown(beyond_mm, beyond_mm)
    # Grown at the origin: a piece stands on several pages, at many places.
    flat = tuple(_at(ready, replace(mask, x_mm=0.0, y_mm=0.0), u, v) for u, v in ready.piece.outline_mm)
    return [(mask.x_mm + x, mask.y_mm + y) for x, y in grown(flat, beyond_mm)]


def _draw_outline(pen: Pen, style: LineStyle, area: Box | Points) -> None:
    if isinstance(area, Box):
        pen.rectangle(style, area)
    else:
        pen.outline(style, *area)


def _draw_cells(pen: Pen, ready: Print, mask: Box, cells: Sequence[Cell]) -> None:
    """Those of one color as one path: rasterizers move lone rectangles to whole pixels."""
    for color in dict.fromkeys(cell.color for cell in cells):
        rings = [cell.ring_mm for cell in cells if cell.color == color]
        pen.polygon(color, *([_at(ready, mask, u, v) for u, v in ring] for ring in rings))


def _draw_lines(pen: Pen, ready: Print, mask: Box) -> None:
    """Folds, seam and cut: all that may touch the texture."""
    rules = ready.template.piece
    if ready.piece.fold_lines and rules.fold_lines == "across":
        for v_mm, kind in ready.piece.fold_rows_mm:
            y_mm = mask.y_mm + v_mm / rules.stretch_y
            pen.line(getattr(pen.lines, kind), (mask.x_mm, y_mm), (mask.right_mm, y_mm))
    if rules.seam_mm > 0:
        _draw_outline(pen, pen.lines.seam, _area(ready, mask, 0.0))
    _draw_outline(pen, pen.lines.cut, _area(ready, mask, rules.seam_mm))


def _draw_fold_ends(pen: Pen, ready: Print, mask: Box) -> None:
    rules, room_mm = ready.template.piece, ready.template.marks.beside_mm - 3.5
    off_mm = rules.beyond_mm + OFF_MM
    for number, (v_mm, kind) in enumerate(ready.piece.fold_rows_mm):
        drawn_mm = v_mm / rules.stretch_y
        y_mm, style = mask.y_mm + drawn_mm, getattr(pen.lines, kind)
        fold_symbol(pen, kind, mask.x_mm - off_mm, y_mm, -1)
        fold_symbol(pen, kind, mask.right_mm + off_mm, y_mm, 1)
        words_mm = off_mm + 2.9
        height = f"{drawn_mm:.1f}".removesuffix(".0")
        pen.text(height, mask.x_mm - words_mm, y_mm + 0.65, SMALL_PT, color=GRAY, anchor="end", widest_mm=room_mm)
        label = f"{kind[0].upper()}{number // 2 + 1}"
        pen.text(label, mask.right_mm + words_mm, y_mm + 0.65, SMALL_PT, True, style.color, widest_mm=room_mm)


def fold_symbol(pen: Pen, kind: str, x_mm: float, y_mm: float, direction: int) -> None:
    """A triangle that points at the fold's end: filled for a mountain fold, open for a valley fold.

    Args:
        direction: 1 draws it to the right of its tip, -1 to the left.
    """
    color = getattr(pen.lines, kind).color
    back_mm = x_mm + direction * 2.4
    tip, upper, lower = (x_mm, y_mm), (back_mm, y_mm - 0.9), (back_mm, y_mm + 0.9)
    if kind == "mountain":
        pen.polygon(color, (tip, upper, lower))
    else:
        inner_mm = back_mm - direction * 0.25
        hole = ((x_mm + direction * 0.75, y_mm), (inner_mm, y_mm - 0.56), (inner_mm, y_mm + 0.56))
        pen.polygon(color, (tip, upper, lower), hole)


def _draw_marks(pen: Pen, ready: Print, mask: Box) -> None:
    off_mm = ready.template.piece.beyond_mm + OFF_MM
    _draw_welds(pen, mask, ready.piece.weld_mm / ready.template.piece.stretch_x, ready.piece.weld_mm, off_mm)
    _draw_ear_loops(pen, mask, ready.piece.weld_mm, off_mm)
    _draw_nose_wire(pen, mask, ready, off_mm)
    pen.text("BOTTOM EDGE (CHIN)", mask.middle_mm, mask.bottom_mm + off_mm + 2.6, SMALL_PT, True, INK, "middle")


def _draw_welds(pen: Pen, mask: Box, drawn_mm: float, weld_mm: float, off_mm: float) -> None:
    for x_mm in (mask.x_mm, mask.right_mm - drawn_mm):
        hatching(pen, Box(x_mm, mask.y_mm - off_mm - 2.2, drawn_mm, 2.2))
        hatching(pen, Box(x_mm, mask.bottom_mm + off_mm, drawn_mm, 2.2))
    label = f"weld {weld_mm:g} mm"
    for y_mm in (mask.y_mm - off_mm - 0.5, mask.bottom_mm + off_mm + 1.7):
        pen.text(label, mask.x_mm + drawn_mm + 1.2, y_mm, SMALL_PT, color=GRAY)
        pen.text(label, mask.right_mm - drawn_mm - 1.2, y_mm, SMALL_PT, color=GRAY, anchor="end")


def hatching(pen: Pen, box: Box) -> None:
    """A box filled with strokes at 45 degrees, as drafters mark a welded strip."""
    pen.rectangle(pen.lines.fine, box)
    step_mm, offset_mm = 1.0, 1.0 - box.height_mm
    while offset_mm < box.width_mm:
        start_mm, end_mm = max(offset_mm, 0.0), min(offset_mm + box.height_mm, box.width_mm)
        foot, head = box.bottom_mm - (start_mm - offset_mm), box.bottom_mm - (end_mm - offset_mm)
        pen.line(pen.lines.fine, (box.x_mm + start_mm, foot), (box.x_mm + end_mm, head))
        offset_mm += step_mm


def _draw_ear_loops(pen: Pen, mask: Box, weld_mm: float, off_mm: float) -> None:
    for edge_mm, direction in ((mask.x_mm - off_mm, -1), (mask.right_mm + off_mm, 1)):
        for y_mm, label_mm in ((mask.y_mm + weld_mm / 2, -2.0), (mask.bottom_mm - weld_mm / 2, 3.2)):
            ear_loop_symbol(pen, edge_mm, y_mm, direction)
            anchor = "end" if direction < 0 else "start"
            pen.text("ear loop", edge_mm, y_mm + label_mm, SMALL_PT, color=GRAY, anchor=anchor)


def ear_loop_symbol(pen: Pen, x_mm: float, y_mm: float, direction: int) -> None:
    """A ring on a stem whose end stands at the point where the loop is fastened."""
    ring_mm = x_mm + direction * (1.6 + LOOP_RADIUS_MM)
    pen.line(pen.lines.mark, (x_mm, y_mm), (ring_mm - direction * LOOP_RADIUS_MM, y_mm))
    pen.circle(pen.lines.mark, ring_mm, y_mm, LOOP_RADIUS_MM)


def _draw_nose_wire(pen: Pen, mask: Box, ready: Print, off_mm: float) -> None:
    between_labels_mm = mask.width_mm - 2 * (ready.piece.weld_mm + WELD_LABEL_MM)
    length_mm = min(ready.template.marks.nose_wire_mm, max(between_labels_mm, mask.width_mm / 4))
    y_mm = mask.y_mm - off_mm - 0.9
    nose_wire_symbol(pen, mask.middle_mm - length_mm / 2, y_mm, length_mm)
    label = f"TOP EDGE (NOSE)  ·  nose wire {length_mm:g} mm"
    pen.text(label, mask.middle_mm, y_mm - 1.4, SMALL_PT, True, INK, "middle")


def nose_wire_symbol(pen: Pen, x_mm: float, y_mm: float, length_mm: float) -> None:
    """A dimension line: its end strokes stand where the wire ends."""
    end_mm = x_mm + length_mm
    pen.line(pen.lines.mark, (x_mm, y_mm), (end_mm, y_mm))
    pen.line(pen.lines.mark, (x_mm, y_mm - 0.9), (x_mm, y_mm + 0.9))
    pen.line(pen.lines.mark, (end_mm, y_mm - 0.9), (end_mm, y_mm + 0.9))
