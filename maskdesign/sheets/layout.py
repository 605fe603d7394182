"""Where everything lies on the page, computed from the paper's size and the mask's."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from math import ceil

from maskdesign.errors import UsageError
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.template import TargetFrame, Template, read_toml, sheet_template

MM_PER_INCH = 25.4
SMALLEST_PAPER_MM, LARGEST_PAPER_MM = 50.0, 1500.0
STRIP_LABEL_MM = 3.0


@dataclass(frozen=True)
class Paper:
    """A page, upright.

    Attributes:
        name: as the user calls it.
        width_mm: the shorter side.
        height_mm: the longer side.
    """

    name: str
    width_mm: float
    height_mm: float


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


@dataclass(frozen=True)
class SheetLayout:
    """The blocks of one page, none overlapping another.

    Attributes:
        paper: the page.
        frame: which targets, and how far apart.
        content: what encloses all blocks but the ends of a mask wider than the frame.
        header: band between the two upper targets.
        mask: the outline of the sheet to cut.
        footer: band between the two lower targets.
        metric: the 50 mm square.
        imperial: the 2 inch square.
        notes: legend and printing notes.
        strip: color patches, labels below.
    """

    paper: Paper
    frame: TargetFrame
    content: Box
    header: Box
    mask: Box
    footer: Box
    metric: Box
    imperial: Box
    notes: Box
    strip: Box


def find_paper(name: str) -> Paper:
    """A paper by its name in print_templates/papers.toml, or of any size as "WIDTHxHEIGHT" in millimeters.

    A paper given lying is turned upright: a printer does not care, and the mask fits only that way.

    Raises:
        UsageError: an unknown name (the nearest one is offered) or a size outside 50 to 1500 mm.
    """
    papers = read_toml("papers.toml")
    key = name.strip().lower()
    if key in papers:
        return Paper(key, **papers[key])
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[x×]\s*(\d+(?:\.\d+)?)\s*(?:mm)?", key)
    if size is None:
        raise UsageError(f"paper {name!r}: unknown{_nearest(key, papers)}; give {', '.join(papers)} or WxH in mm")
    short_mm, long_mm = sorted(float(length) for length in size.groups())
    if short_mm < SMALLEST_PAPER_MM or long_mm > LARGEST_PAPER_MM:
        raise UsageError(
            f"paper {name!r}: each side must lie between {SMALLEST_PAPER_MM:g} and {LARGEST_PAPER_MM:g} mm"
        )
    return Paper(f"{short_mm:g}x{long_mm:g}", short_mm, long_mm)


def _nearest(key: str, papers: dict[str, dict[str, float]]) -> str:
    close = difflib.get_close_matches(key, papers, n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


def smallest_page_mm(piece: Piece, template: Template) -> tuple[float, float]:
    """Width and height of the smallest page that carries this mask and every mark.

    Raises:
        UsageError: the mask is taller than the tallest frame of targets allows.
    """
    frame = _frame_around(piece, template)
    width_mm = max(frame.width_mm + template.target_mm, piece.width_mm + 2 * template.side_mm)
    height_mm = _blocks_mm(frame, template) + 2 * template.least_gap_mm
    return width_mm + 2 * template.margin_mm, height_mm + 2 * template.margin_mm


def arrange(paper: Paper, piece: Piece) -> SheetLayout:
    """Place every block of the page.

    The frame of targets comes first, the mask in its middle; the test squares, the notes and the color strip follow
    below, as wide as the frame. What height is left opens the gaps, then the space above and below.

    Raises:
        UsageError: the page is too small; the message says which papers fit.
    """
    template = sheet_template()
    _check_fits(paper, piece, template)
    frame = _frame_around(piece, template)
    target_mm, square_mm = template.target_mm, template.square_inch * MM_PER_INCH
    spare_mm = paper.height_mm - 2 * template.margin_mm - _blocks_mm(frame, template)
    gap_mm = min(max(spare_mm / 3, template.least_gap_mm), template.widest_gap_mm)
    width_mm = frame.width_mm + target_mm
    height_mm = _blocks_mm(frame, template) + 2 * gap_mm
    content = Box((paper.width_mm - width_mm) / 2, (paper.height_mm - height_mm) / 2, width_mm, height_mm)
    mask = Box(
        (paper.width_mm - piece.width_mm) / 2,
        content.y_mm + (frame.height_mm + target_mm - piece.height_mm) / 2,
        piece.width_mm,
        piece.height_mm,
    )
    header = Box(content.x_mm + target_mm, content.y_mm, frame.width_mm - target_mm, target_mm)
    footer = Box(header.x_mm, content.y_mm + frame.height_mm, header.width_mm, target_mm)
    below_mm = footer.bottom_mm + gap_mm
    metric = Box(content.x_mm, below_mm, template.square_mm, template.square_mm)
    imperial = Box(metric.right_mm + 6, below_mm, square_mm, square_mm)
    notes = Box(imperial.right_mm + 8, below_mm, content.right_mm - imperial.right_mm - 8, square_mm)
    strip = Box(content.x_mm, imperial.bottom_mm + gap_mm, width_mm, template.strip_mm)
    return SheetLayout(paper, frame, content, header, mask, footer, metric, imperial, notes, strip)


def _frame_around(piece: Piece, template: Template) -> TargetFrame:
    for frame in template.frames:
        if piece.height_mm <= _inside_mm(frame, template):
            return frame
    tallest_mm = _inside_mm(template.frames[-1], template)
    raise UsageError(
        f"mask.height_mm = {piece.height_mm:g}: a sheet carries at most {tallest_mm:g} mm; make the mask shorter"
    )


def _inside_mm(frame: TargetFrame, template: Template) -> float:
    return frame.height_mm - template.target_mm - 2 * template.clearance_mm


def _blocks_mm(frame: TargetFrame, template: Template) -> float:
    """Height of all blocks without the two gaps between them."""
    squares_mm = max(template.square_mm, template.square_inch * MM_PER_INCH)
    return frame.height_mm + template.target_mm + squares_mm + template.strip_mm + STRIP_LABEL_MM


def _check_fits(paper: Paper, piece: Piece, template: Template) -> None:
    width_mm, height_mm = smallest_page_mm(piece, template)
    if paper.width_mm >= width_mm and paper.height_mm >= height_mm:
        return
    fitting = [
        name
        for name, size in read_toml("papers.toml").items()
        if size["width_mm"] >= width_mm and size["height_mm"] >= height_mm
    ]
    remedy = f"use --paper {' or '.join(fitting)}" if fitting else f"use --paper {ceil(width_mm)}x{ceil(height_mm)}"
    raise UsageError(
        f"paper {paper.name} ({paper.width_mm:g} x {paper.height_mm:g} mm) is too small: "
        f"a mask of {piece.width_mm:g} x {piece.height_mm:g} mm "
        f"with its marks needs {width_mm:g} x {height_mm:g} mm; {remedy}"
    )
