"""What a page is made of: its blocks, the frame of its targets, the outlines of its pieces."""

from __future__ import annotations

from dataclasses import dataclass

from maskdesign.sheets.paper import Paper
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.targets import TargetFrame
from maskdesign.sheets.template import Template


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


def room_mm(template: Template) -> tuple[float, float]:
    """What a piece needs beside and above its outline."""
    beyond_mm = template.piece.beyond_mm
    return beyond_mm + template.marks.beside_mm, beyond_mm + template.marks.above_mm


def extent_mm(piece: Piece, template: Template) -> tuple[float, float]:
    """Width and height of a piece with its seam allowance, its bleed and every mark around it."""
    (width_mm, height_mm), (beside_mm, above_mm) = drawn_size_mm(piece, template), room_mm(template)
    return width_mm + 2 * beside_mm, height_mm + 2 * above_mm
