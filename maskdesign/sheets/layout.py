"""Where everything lies on the pages, computed from the paper's size and the piece's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from maskdesign.errors import InputError
from maskdesign.sheets.paper import MM_PER_INCH, Paper, known_papers
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.targets import TargetFrame, frame_within, step_up_mm, target_rules
from maskdesign.sheets.template import Template

STRIP_LABEL_MM = 3.0
SQUARE_GAP_MM, NOTES_GAP_MM = 6.0, 8.0
NARROWEST_NOTES_MM = 60.0
RING_MM = 1.5
"""Kept free around a tile: the ticks where two of them meet."""
SMALLEST_WINDOW_MM = 40.0
MOST_PAGES = 60


@dataclass(frozen=True)
class SheetInfo:
    """What ties a printed page to its design.

    Attributes:
        run_id: name of the run.
        config_hash: hash of the resolved configuration.
        date: as it shall be printed.
    """

    run_id: str
    config_hash: str
    date: str


@dataclass(frozen=True)
class Box:
    """A rectangle on the page.

    Convention: page millimeters, x right and y down from the upper left corner of the paper.
    """

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float

    @property
    def right_mm(self) -> float:
        """X of the right edge."""
        return self.x_mm + self.width_mm

    @property
    def bottom_mm(self) -> float:
        """Y of the lower edge."""
        return self.y_mm + self.height_mm

    @property
    def middle_mm(self) -> float:
        """X of the vertical center line."""
        return self.x_mm + self.width_mm / 2

    def grown(self, beside_mm: float, above_mm: float) -> Box:
        """The box with room on all four sides."""
        width_mm, height_mm = self.width_mm + 2 * beside_mm, self.height_mm + 2 * above_mm
        return Box(self.x_mm - beside_mm, self.y_mm - above_mm, width_mm, height_mm)


@dataclass(frozen=True)
class Tile:
    """The part of a piece that one page shows.

    Attributes:
        name: row and column, as "A1".
        window: the part of the page that shows it.
        row: from the top, 0 first.
        column: from the left.
        rows: of all tiles together.
        columns: of all tiles together.
        overlap_mm: what neighbors share.
    """

    name: str
    window: Box
    row: int
    column: int
    rows: int
    columns: int
    overlap_mm: float


@dataclass(frozen=True)
class Furniture:
    """The blocks below the mask: test squares, legend and notes, color strip."""

    metric: Box
    imperial: Box
    notes: Box
    strip: Box


@dataclass(frozen=True)
class SheetLayout:
    """The blocks of one page, none overlapping another.

    Attributes:
        paper: the page, as it lies.
        frame: which targets, and how far apart.
        content: what encloses all blocks but the ends of a mask wider than the frame.
        header: band between the two upper targets.
        footer: band between the two lower targets.
        masks: the outline of each piece, its stretch compensated; beyond the page's edge where a tile shows a part.
        furniture: None where a page has no room for it: the cover carries it.
        tile: None where the page shows whole pieces.
    """

    paper: Paper
    frame: TargetFrame
    content: Box
    header: Box
    footer: Box
    masks: tuple[Box, ...]
    furniture: Furniture | None
    tile: Tile | None = None


def drawn_size_mm(piece: Piece, template: Template) -> tuple[float, float]:
    """Width and height of the outline as it is drawn: what the fabric's stretch brings back to the piece's size."""
    return piece.width_mm / template.piece.stretch_x, piece.height_mm / template.piece.stretch_y


def _room_mm(template: Template) -> tuple[float, float]:
    """What a piece needs beside and above its outline."""
    beyond_mm = template.piece.beyond_mm
    return beyond_mm + template.marks.beside_mm, beyond_mm + template.marks.above_mm


def extent_mm(piece: Piece, template: Template) -> tuple[float, float]:
    """Width and height of a piece with its seam allowance, its bleed and every mark around it."""
    (width_mm, height_mm), (beside_mm, above_mm) = drawn_size_mm(piece, template), _room_mm(template)
    return width_mm + 2 * beside_mm, height_mm + 2 * above_mm


def plan_pages(paper: Paper, piece: Piece, template: Template) -> list[SheetLayout]:
    """The pages that show every copy of the piece: whole ones where the paper is large enough, else tiles.

    Raises:
        InputError: not even tiles fit; the message says what does.
    """
    copies = template.page.copies
    plans = [_whole_page(turned, piece, template, copies) for turned in (paper, paper.lying)]
    if fitting := [plan for plan in plans if plan is not None]:
        page = max(fitting, key=lambda plan: len(plan.masks))
        return _repeated(page, piece, template, copies)
    tilings = [tiles for turned in (paper, paper.lying) if (tiles := list(_tiles(turned, piece, template)))]
    if not tilings:
        raise InputError(_too_small(paper, piece, template))
    fewest = min(tilings, key=len) * copies
    if len(fewest) > MOST_PAGES:
        count = f"{len(fewest)} pages would be needed, at most {MOST_PAGES} are made"
        raise InputError(f"paper {paper.title}: {count}; {_remedy(piece, template)}")
    return fewest


def _whole_page(paper: Paper, piece: Piece, template: Template, copies: int) -> SheetLayout | None:
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


def blank_page(paper: Paper, template: Template) -> SheetLayout:
    """A page with nothing but its bands, the frame as large as the margins allow."""
    page = _largest(paper, template)
    assert page is not None, "plan_pages has refused smaller papers"
    return page


def _largest(paper: Paper, template: Template) -> SheetLayout | None:
    target_mm, margins_mm = target_rules().side_mm, 2 * template.page.margin_mm
    frame = frame_within(paper.width_mm - margins_mm - target_mm, paper.height_mm - margins_mm - target_mm)
    return None if frame is None else _bands(paper, frame, frame.height_mm + target_mm)


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


def _repeated(page: SheetLayout, piece: Piece, template: Template, copies: int) -> list[SheetLayout]:
    full, left = divmod(copies, len(page.masks))
    return [page] * full + ([replace(page, masks=page.masks[:left])] if left else [])


def _tiles(paper: Paper, piece: Piece, template: Template) -> Iterator[SheetLayout]:
    """The pages that show a piece in parts; none where a page is too small for a part worth the name."""
    rules, page = template.page, _largest(paper, template)
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
    (width_mm, height_mm), (beside_mm, above_mm) = drawn_size_mm(piece, template), _room_mm(template)
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


def _too_small(paper: Paper, piece: Piece, template: Template) -> str:
    size = f"{paper.width_mm:g} x {paper.height_mm:g} mm with margins of {template.page.margin_mm:g} mm"
    return f"paper {paper.title}: {size} is too small even for parts of the mask; {_remedy(piece, template)}"


def _remedy(piece: Piece, template: Template) -> str:
    """Names the papers that carry the piece whole."""
    whole = [
        known.name
        for known in known_papers()
        if any(_whole_page(turned, piece, template, 1) for turned in (known, known.lying))
    ]
    return f"use --paper {' or '.join(whole)}" if whole else "use a larger --paper WIDTHxHEIGHT"
