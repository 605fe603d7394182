"""A texture and its pattern become pages in true millimeters: PDF, SVG or PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ImageError, UsageError
from maskdesign.files import write_bytes, write_text
from maskdesign.mask.pattern import MaskPattern
from maskdesign.sheets.cover import plan_cover
from maskdesign.sheets.drafting import Canvas, Pen
from maskdesign.sheets.furniture import draw_header, draw_notes, draw_ruler, draw_squares, draw_strip, draw_targets
from maskdesign.sheets.joins import draw_joins
from maskdesign.sheets.layout import plan_pages
from maskdesign.sheets.outline import Print, draw_piece, prepare
from maskdesign.sheets.page import Box, SheetInfo, SheetLayout
from maskdesign.sheets.paper import Paper
from maskdesign.sheets.pdf_canvas import PdfCanvas
from maskdesign.sheets.piece import Artwork, Piece, mask_piece
from maskdesign.sheets.preview import page_paths, write_previews
from maskdesign.sheets.svg_canvas import SvgCanvas
from maskdesign.sheets.template import Template, sheet_template
from maskdesign.sheets.texture import own_colors
from maskdesign.sheets.type import find_typefaces

SUFFIXES = (".pdf", ".svg", ".png")


def write_sheet(
    path: Path,
    texture: NDArray[np.uint8],
    pattern: MaskPattern,
    info: SheetInfo,
    paper: Paper,
    template: Template | None = None,
    dpi: float | None = None,
) -> list[Path]:
    """Write the printable sheet of a mask: `write_piece` with the texture on the mask's piece.

    Args:
        texture: (H, W, 3) sRGB; spans the sheet edge to edge, row 0 along the top edge.
    """
    return write_piece(path, mask_piece(pattern), Artwork(picture=texture), info, paper, template, dpi)


def write_piece(
    path: Path,
    piece: Piece,
    artwork: Artwork,
    info: SheetInfo,
    paper: Paper,
    template: Template | None = None,
    dpi: float | None = None,
) -> list[Path]:
    """Write a printable sheet at scale 1:1: the same bytes for the same arguments.

    Args:
        path: its suffix chooses .pdf, .svg or .png. A PDF holds all pages; of the others each page is a file, NAME-1
            and so on where there are several. Each is replaced as a whole or not at all.
        info: printed in the header and kept in the PDF's metadata.
        template: the shipped page template where None.
        dpi: of PNG pages; the template's where None.

    Returns:
        the files, in the order of the pages.

    Raises:
        UsageError: another suffix.
        InputError: the page is too small even for parts of the piece, or a font is missing.
        ImageError: the artwork's picture is not (H, W, 3) uint8, or dpi is not positive.
        OutputError: the place cannot be written.

    Convention: sheet millimeters, u right and v down, printed side up.
    """
    suffix, template = path.suffix.lower(), template or sheet_template()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: a sheet ends in {', '.join(SUFFIXES)}; name it with --out")
    dpi = template.texture.dpi if dpi is None else dpi
    if not 0 < dpi < np.inf:
        raise ImageError(f"dpi = {dpi:g}: must be positive, 300 or more for print")
    title = f"{piece.title}, run {info.run_id}"
    if suffix == ".svg":
        canvas = SvgCanvas(title, template.layers.hidden)
        draw_sheet(canvas, piece, artwork, info, paper, template)
        return _write_pages(path, canvas.finish())
    pdf = _pdf(title, piece, artwork, info, paper, template)
    if suffix == ".png":
        return write_previews(path, pdf, dpi)
    write_bytes(path, pdf)
    return [path]


def _pdf(title: str, piece: Piece, artwork: Artwork, info: SheetInfo, paper: Paper, template: Template) -> bytes:
    canvas = PdfCanvas(title, f"run={info.run_id}, config={info.config_hash}, date={info.date}")
    pages = draw_sheet(canvas, piece, artwork, info, paper, template)
    outlines = [_boxes(page, template) if page.masks else None for page in pages]
    return canvas.finish(template.layers.hidden, outlines, template.page.boxes == "outline")


def _boxes(page: SheetLayout, template: Template) -> tuple[Box, Box]:
    """What is cut out of a page, all its pieces together, and that with its bleed."""
    left, top = min(mask.x_mm for mask in page.masks), min(mask.y_mm for mask in page.masks)
    right, bottom = max(mask.right_mm for mask in page.masks), max(mask.bottom_mm for mask in page.masks)
    rules, outlines = template.piece, Box(left, top, right - left, bottom - top)
    return outlines.grown(rules.seam_mm, rules.seam_mm), outlines.grown(rules.beyond_mm, rules.beyond_mm)


def _write_pages(path: Path, pages: list[str]) -> list[Path]:
    paths = page_paths(path, len(pages))
    for place, page in zip(paths, pages, strict=True):
        write_text(place, page)
    return paths


def draw_sheet(
    canvas: Canvas, piece: Piece, artwork: Artwork, info: SheetInfo, paper: Paper, template: Template
) -> list[SheetLayout]:
    """Draw every page, the cover first where the template wants one; returns their layouts."""
    plan = plan_pages(paper, piece, template)
    ready, own = prepare(piece, artwork, template), own_colors(artwork.picture, template.texture.colors)
    pen = Pen(canvas, template.lines, *find_typefaces(template.fonts))
    covers = plan_cover(pen, paper, plan, piece, template, own).pages if template.page.cover else []
    pages, total = [page for page, _ in covers] + plan, len(covers) + len(plan)
    for number, page in enumerate(pages, 1):
        canvas.begin_page(page.paper)
        for mask in page.masks:
            _draw_mask(pen, ready, page, mask)
        draw_targets(pen, page)
        with canvas.layer("notes"):
            _draw_bands(pen, page, ready, info, f"Page {number} of {total}")
            if number <= len(covers):
                for block, box in covers[number - 1][1]:
                    block.draw(box)
            elif page.furniture is not None:
                draw_squares(pen, page.furniture.metric, page.furniture.imperial)
                draw_notes(pen, page, page.furniture.notes, piece, template)
                draw_strip(pen, page.furniture.strip, own)
    return pages


def _draw_mask(pen: Pen, ready: Print, page: SheetLayout, mask: Box) -> None:
    if page.tile is None:
        draw_piece(pen, ready, mask)
        return
    with pen.canvas.clipped(page.tile.window):
        draw_piece(pen, ready, mask)
    with pen.canvas.layer("notes"):
        draw_joins(pen, page.tile)


def _draw_bands(pen: Pen, page: SheetLayout, ready: Print, info: SheetInfo, number: str) -> None:
    if page.tile is not None:
        number = f"Tile {page.tile.name}  ·  {number}"
    identity = f"Run {info.run_id}   ·   Config {info.config_hash}   ·   {info.date}   ·   {page.paper.title}"
    draw_header(pen, page, ready.piece.title, _subtitle(ready), number, identity)
    draw_ruler(pen, page, ready.template.marks.ruler_mm)


def _subtitle(ready: Print) -> str:
    rules, parts = ready.template.piece, [ready.piece.subtitle]
    if rules.mirrored:
        parts.append("MIRRORED for transfer")
    if (rules.stretch_x, rules.stretch_y) != (1.0, 1.0):
        parts.append(f"stretch {rules.stretch_x - 1:+.1%} × {rules.stretch_y - 1:+.1%} compensated".replace("%", " %"))
    return "  ·  ".join([*parts, "scale 1:1"])
