"""The cover: what to do with the pages behind it, in blocks that flow over columns and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from maskdesign.sheets.arrange import SQUARE_GAP_MM, STRIP_LABEL_MM, blank_page
from maskdesign.sheets.drafting import GRAY, Pen
from maskdesign.sheets.furniture import (
    LEGEND_ROW_MM,
    LEGEND_TOP_MM,
    NOT_MEDICAL,
    draw_legend,
    draw_squares,
    draw_strip,
    legend,
)
from maskdesign.sheets.joins import draw_map
from maskdesign.sheets.page import Box, SheetLayout
from maskdesign.sheets.paper import MM_PER_INCH, Paper
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.template import Template

TEXT_PT, LEADING_MM, PARAGRAPH_MM, HEADING_MM, NUMBER_MM = 8.0, 3.8, 1.2, 5.4, 5.0
BLOCK_GAP_MM, COLUMN_GAP_MM, TWO_COLUMNS_MM = 6.0, 10.0, 165.0
MAP_MM = 44.0
ABOUT = (
    f"{NOT_MEDICAL} It filters nothing: wear it over a mask that does.",
    "For yourself, or for somebody who agreed. Take it off where the law or a place asks for your face.",
)
SKIN = (
    "Inks may touch skin: let the print dry for a day, use it as the outer layer only, and stop when skin reddens.",
    "Use pigment or dye inks of the printer's maker, or sublimation inks certified for textiles (Oeko-Tex).",
    "Never use lead, metal or conductive coatings on anything worn on the face: they are toxic.",
)


@dataclass(frozen=True)
class Block:
    """Something of a known height that a column may hold.

    Attributes:
        height_mm: what it takes.
        draw: into a box of the column's width and this height.
        leads: begins the second column of a page that has two.
    """

    height_mm: float
    draw: Callable[[Box], None]
    leads: bool = False


@dataclass(frozen=True)
class Cover:
    """The cover's pages.

    Attributes:
        pages: each with its blocks, placed.
    """

    pages: list[tuple[SheetLayout, list[tuple[Block, Box]]]]


def flow(blocks: Sequence[Block], page: SheetLayout, count: int, width_mm: float) -> Iterator[list[tuple[Block, Box]]]:
    """Place blocks one below the other, column after column, page after page.

    Args:
        page: whose bands bound the columns.
        count: columns of a page.
        width_mm: of a column.
    """
    top_mm, bottom_mm = page.header.bottom_mm + BLOCK_GAP_MM, page.footer.y_mm - BLOCK_GAP_MM / 2
    placed: list[tuple[Block, Box]] = []
    column, y_mm = 0, top_mm
    for block in blocks:
        full = y_mm + block.height_mm > bottom_mm or (block.leads and column == 0 and count > 1)
        if y_mm > top_mm and full:
            column, y_mm = column + 1, top_mm
        if column == count:
            yield placed
            placed, column = [], 0
        x_mm = page.content.x_mm + column * (width_mm + COLUMN_GAP_MM)
        placed.append((block, Box(x_mm, y_mm, width_mm, block.height_mm)))
        y_mm += block.height_mm + BLOCK_GAP_MM
    yield placed


def plan_cover(
    pen: Pen, paper: Paper, plan: list[SheetLayout], piece: Piece, template: Template, own: list[str]
) -> Cover:
    """Arrange the cover of a sheet.

    Args:
        plan: the pages with masks.
        own: the texture's colors, for the strip that tiles have no room for.
    """
    page = blank_page(paper, template)
    width_mm = page.content.width_mm
    count = 2 if width_mm >= TWO_COLUMNS_MM else 1
    column_mm = (width_mm - COLUMN_GAP_MM * (count - 1)) / count
    first_page = 2
    while True:
        blocks = list(_blocks(pen, column_mm, plan, piece, template, own, first_page))
        placed = list(flow(blocks, page, count, column_mm))
        if len(placed) == first_page - 1:
            return Cover([(page, content) for content in placed])
        first_page = len(placed) + 1


def _blocks(
    pen: Pen,
    width_mm: float,
    plan: list[SheetLayout],
    piece: Piece,
    template: Template,
    own: list[str],
    first_page: int,
) -> Iterator[Block]:
    yield _text(pen, "WHAT THIS IS", ABOUT, width_mm)
    yield _text(pen, "STEP BY STEP", _steps(plan, piece, template), width_mm, numbered=True)
    yield _text(pen, template.material.name.upper(), template.material.notes, width_mm)
    yield _text(pen, "INKS AND SKIN", SKIN, width_mm)
    yield Block(MAP_MM + HEADING_MM, lambda box: _draw_map(pen, box, plan, first_page), leads=True)
    legend_mm = LEGEND_TOP_MM + LEGEND_ROW_MM * len(legend(piece, template))
    yield Block(legend_mm, lambda box: draw_legend(pen, box, piece, template, legend_mm))
    yield from _squares(pen, width_mm, template)
    if plan[0].furniture is None:
        height_mm = template.marks.strip_mm
        yield Block(height_mm + STRIP_LABEL_MM, lambda box: draw_strip(pen, replace(box, height_mm=height_mm), own))


def _steps(plan: list[SheetLayout], piece: Piece, template: Template) -> list[str]:
    rules = template.piece
    mirror = " Do not mirror: the mask is mirrored already." if rules.mirrored else ""
    steps = [
        f'Print all pages at 100 % ("actual size"); switch off "fit to page".{mirror}',
        "Measure the two squares. Or photograph this page whole on a dark table and let "
        '"maskdesign sheet --check photo.jpg" measure it.',
    ]
    if plan[0].tile is not None:
        steps.append(
            "Join the tiles as the map shows: cut one at its triangles, lay it on its neighbor so that the triangles "
            "meet, and tape it from behind."
        )
    steps.append("Cut along the solid line.")
    if piece.fold_rows_mm:
        steps.append("Fold: red lines make a ridge toward you, blue ones away from you. Press each fold flat.")
    if piece.weld_mm > 0:
        steps.append("With the pleats shut, sew, glue or weld both sides on the hatched strips.")
        steps.append("Put the nose wire behind the top edge and fasten the ear loops at the four corners.")
    return steps


def _text(pen: Pen, heading: str, paragraphs: Sequence[str], width_mm: float, numbered: bool = False) -> Block:
    indent_mm = NUMBER_MM if numbered else 0.0
    wrapped = [pen.regular.wrap(pen.regular.printable(words), TEXT_PT, width_mm - indent_mm) for words in paragraphs]
    lines = sum(map(len, wrapped))
    height_mm = HEADING_MM + lines * LEADING_MM + (len(wrapped) - 1) * PARAGRAPH_MM

    def draw(box: Box) -> None:
        pen.text(heading, box.x_mm, box.y_mm + 1.9, 6, True, GRAY)
        baseline_mm = box.y_mm + HEADING_MM + 2.0
        for number, paragraph in enumerate(wrapped, 1):
            if numbered:
                pen.text(f"{number}", box.x_mm, baseline_mm, TEXT_PT, True)
            for line in paragraph:
                pen.text(line, box.x_mm + indent_mm, baseline_mm, TEXT_PT)
                baseline_mm += LEADING_MM
            baseline_mm += PARAGRAPH_MM

    return Block(height_mm, draw)


def _draw_map(pen: Pen, box: Box, plan: list[SheetLayout], first_page: int) -> None:
    pen.text("PAGES", box.x_mm, box.y_mm + 1.9, 6, True, GRAY)
    draw_map(pen, Box(box.x_mm, box.y_mm + HEADING_MM, box.width_mm, MAP_MM), plan, first_page)


def _squares(pen: Pen, width_mm: float, template: Template) -> Iterator[Block]:
    metric_mm, imperial_mm = template.marks.square_mm, template.marks.square_inch * MM_PER_INCH
    beside = width_mm >= metric_mm + SQUARE_GAP_MM + imperial_mm
    height_mm = max(metric_mm, imperial_mm) if beside else metric_mm + SQUARE_GAP_MM + imperial_mm

    def draw(box: Box) -> None:
        metric = Box(box.x_mm, box.y_mm, metric_mm, metric_mm)
        x_mm, y_mm = (
            (metric.right_mm + SQUARE_GAP_MM, box.y_mm) if beside else (box.x_mm, metric.bottom_mm + SQUARE_GAP_MM)
        )
        draw_squares(pen, metric, Box(x_mm, y_mm, imperial_mm, imperial_mm))

    yield Block(height_mm, draw)
