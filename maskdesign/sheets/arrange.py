"""Whole pieces on a page: the frame of targets, the pieces inside it, the furniture below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from maskdesign.sheets.page import Box, Furniture, SheetLayout, drawn_size_mm, extent_mm
from maskdesign.sheets.paper import MM_PER_INCH, Paper
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.targets import TargetFrame, frame_within, step_up_mm, target_rules
from maskdesign.sheets.template import Template

STRIP_LABEL_MM = 3.0
SQUARE_GAP_MM, NOTES_GAP_MM = 6.0, 8.0
NARROWEST_NOTES_MM = 60.0


def whole_page(paper: Paper, piece: Piece, template: Template, copies: int) -> SheetLayout | None:
    """The page with as many whole copies as fit, at most `copies`; None where not even one does."""
    rules, target_mm = template.page, target_rules().side_mm
    inner = Box(0, 0, paper.width_mm, paper.height_mm).grown(-rules.margin_mm, -rules.margin_mm)
    width_mm, height_mm = extent_mm(piece, template)
    columns = min(int((inner.width_mm + 1e-6) // width_mm), copies)
    rows = ceil(copies / columns) if columns else 0
    while rows > 0:
        frame = frame_within(inner.width_mm - target_mm, step_up_mm(rows * height_mm + target_mm))
        below_mm = _furniture_mm(template) + 2 * rules.gap_mm
        if frame and frame.height_mm >= rows * height_mm + target_mm - 1e-6:
            spare_mm = inner.height_mm - frame.height_mm - target_mm - below_mm
            if spare_mm >= -1e-6 and frame.width_mm + target_mm >= _furniture_width_mm(template):
                return _arranged(paper, frame, piece, template, (rows, columns), spare_mm)
        rows -= 1
    return None


def _furniture_mm(template: Template) -> float:
    squares_mm = max(template.marks.square_mm, template.marks.square_inch * MM_PER_INCH)
    return squares_mm + template.marks.strip_mm + STRIP_LABEL_MM


def _furniture_width_mm(template: Template) -> float:
    squares_mm = template.marks.square_mm + template.marks.square_inch * MM_PER_INCH
    return squares_mm + SQUARE_GAP_MM + NOTES_GAP_MM + NARROWEST_NOTES_MM


def _arranged(
    paper: Paper, frame: TargetFrame, piece: Piece, template: Template, grid: tuple[int, int], spare_mm: float
) -> SheetLayout:
    """Frame of targets first, the masks in its middle, the furniture below; spare height opens the gaps."""
    rules = template.page
    gap_mm = min(rules.gap_mm + max(spare_mm, 0.0) / 3, rules.widest_gap_mm)
    height_mm = frame.height_mm + target_rules().side_mm + _furniture_mm(template) + 2 * gap_mm
    page = _bands(paper, frame, height_mm)
    return replace(
        page,
        masks=tuple(_grid(page, piece, template, *grid)),
        furniture=_furniture(page.content, page.footer.bottom_mm + gap_mm, gap_mm, template),
    )


def _bands(paper: Paper, frame: TargetFrame, height_mm: float) -> SheetLayout:
    """A page with its frame of targets, the content of the given height in its middle."""
    target_mm = target_rules().side_mm
    width_mm = frame.width_mm + target_mm
    content = Box((paper.width_mm - width_mm) / 2, (paper.height_mm - height_mm) / 2, width_mm, height_mm)
    header = Box(content.x_mm + target_mm, content.y_mm, frame.width_mm - target_mm, target_mm)
    footer = replace(header, y_mm=content.y_mm + frame.height_mm)
    return SheetLayout(paper, frame, content, header, footer, (), None)


def _grid(page: SheetLayout, piece: Piece, template: Template, rows: int, columns: int) -> Iterator[Box]:
    """Outlines in rows and columns, the middle of all in the middle of the frame."""
    size_mm, step_mm = drawn_size_mm(piece, template), extent_mm(piece, template)
    middle_mm = (page.header.y_mm + page.footer.bottom_mm) / 2
    for row in range(rows):
        for column in range(columns):
            x_mm = page.paper.width_mm / 2 + (column - (columns - 1) / 2) * step_mm[0]
            y_mm = middle_mm + (row - (rows - 1) / 2) * step_mm[1]
            yield Box(x_mm - size_mm[0] / 2, y_mm - size_mm[1] / 2, *size_mm)


def _furniture(content: Box, y_mm: float, gap_mm: float, template: Template) -> Furniture:
    marks, square_mm = template.marks, template.marks.square_inch * MM_PER_INCH
    metric = Box(content.x_mm, y_mm, marks.square_mm, marks.square_mm)
    imperial = Box(metric.right_mm + SQUARE_GAP_MM, y_mm, square_mm, square_mm)
    left_mm, height_mm = imperial.right_mm + NOTES_GAP_MM, max(square_mm, marks.square_mm)
    notes = Box(left_mm, y_mm, content.right_mm - left_mm, height_mm)
    strip = Box(content.x_mm, y_mm + height_mm + gap_mm, content.width_mm, marks.strip_mm)
    return Furniture(metric, imperial, notes, strip)


def blank_page(paper: Paper, template: Template) -> SheetLayout:
    """A page with nothing but its bands, the frame as large as the margins allow."""
    page = largest_page(paper, template)
    assert page is not None, "plan_pages has refused smaller papers"
    return page


def largest_page(paper: Paper, template: Template) -> SheetLayout | None:
    """A page with the largest frame of targets that its margins allow; None where not even the smallest fits."""
    target_mm, margins_mm = target_rules().side_mm, 2 * template.page.margin_mm
    frame = frame_within(paper.width_mm - margins_mm - target_mm, paper.height_mm - margins_mm - target_mm)
    return None if frame is None else _bands(paper, frame, frame.height_mm + target_mm)
