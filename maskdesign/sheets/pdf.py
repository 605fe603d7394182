"""A texture and its pattern become one page in true millimeters."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskdesign import __version__
from maskdesign.files import write_bytes
from maskdesign.mask.pattern import MaskPattern
from maskdesign.sheets.drafting import POINTS_PER_MM, Pen
from maskdesign.sheets.furniture import draw_header, draw_notes, draw_ruler, draw_squares, draw_strip, draw_targets
from maskdesign.sheets.layout import Paper, SheetInfo, SheetLayout, arrange
from maskdesign.sheets.outline import draw_artwork, draw_outline
from maskdesign.sheets.piece import Artwork, Piece, mask_piece
from maskdesign.sheets.template import sheet_template
from maskdesign.sheets.texture import PackedImage, check_texture, enlarge, own_colors, pack

if TYPE_CHECKING:
    import pikepdf
    from reportlab.pdfgen.canvas import Canvas

TEXTURE_NAME = "MaskdesignTexture"


def write_sheet(path: Path, texture: NDArray[np.uint8], pattern: MaskPattern, info: SheetInfo, paper: Paper) -> None:
    """Write the printable sheet of a mask: `write_piece` with the texture on the mask's piece.

    Args:
        texture: (H, W, 3) sRGB; spans the sheet edge to edge, row 0 along the top edge.
    """
    write_piece(path, mask_piece(pattern), Artwork(picture=texture), info, paper)


def write_piece(path: Path, piece: Piece, artwork: Artwork, info: SheetInfo, paper: Paper) -> None:
    """Write a printable sheet: one upright page, scale 1:1, the same bytes for the same arguments.

    Args:
        path: the PDF, replaced as a whole or not at all.
        info: printed in the header and kept in the PDF's metadata.

    Raises:
        UsageError: the page is smaller than the piece with its marks.
        ImageError: the artwork's picture is not (H, W, 3) uint8.
        OutputError: the place cannot be written.

    Convention: sheet millimeters, u right and v down, printed side up; ArtBox is the outline to cut,
        TrimBox the page.
    """
    layout, template = arrange(paper, piece), sheet_template()
    picture = None
    if artwork.picture is not None:
        check_texture(artwork.picture)
        picture = pack(enlarge(artwork.picture, piece.width_mm, piece.height_mm, template.texture_dpi))
    write_bytes(path, _with_texture(_draw(layout, piece, artwork, info), picture, layout))


def _draw(layout: SheetLayout, piece: Piece, artwork: Artwork, info: SheetInfo) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    page_size = (layout.paper.width_mm * POINTS_PER_MM, layout.paper.height_mm * POINTS_PER_MM)
    canvas = Canvas(buffer, pagesize=page_size, invariant=1, pageCompression=0, pdfVersion=(1, 7))
    pen = Pen(canvas, layout.paper.height_mm)
    _describe(canvas, pen, layout, piece, info)
    draw_artwork(pen, layout.mask, artwork)
    draw_outline(pen, layout, piece)
    draw_header(pen, layout, piece, info)
    draw_targets(pen, layout)
    draw_ruler(pen, layout)
    draw_squares(pen, layout)
    draw_notes(pen, layout, piece)
    draw_strip(pen, layout, own_colors(artwork.picture, sheet_template().texture_colors))
    canvas.save()
    return buffer.getvalue()


def _describe(canvas: Canvas, pen: Pen, layout: SheetLayout, piece: Piece, info: SheetInfo) -> None:
    left, top = pen.points(layout.mask.x_mm, layout.mask.y_mm)
    right, bottom = pen.points(layout.mask.right_mm, layout.mask.bottom_mm)
    canvas.setArtBox((left, bottom, right, top))
    # Not the outline: CUPS and qpdf take the trimmed page for the whole one, and would cut off or scale the rest.
    canvas.setTrimBox((0, 0, *pen.points(layout.paper.width_mm, 0)))
    canvas.setViewerPreference("PrintScaling", "None")
    canvas.setTitle(f"{piece.title}, run {info.run_id}")
    canvas.setAuthor("maskdesign")
    canvas.setCreator(f"maskdesign {__version__}")
    canvas.setSubject("Print at 100 % (actual size). Paper/fabric overlay, not a medical device.")
    canvas.setKeywords(f"run={info.run_id}, config={info.config_hash}, date={info.date}")


def _with_texture(drawing: bytes, image: PackedImage | None, layout: SheetLayout) -> bytes:
    """Lay the image under the drawing: reportlab packs images without a predictor, three times as large."""
    import pikepdf

    left, top = layout.mask.x_mm * POINTS_PER_MM, (layout.paper.height_mm - layout.mask.y_mm) * POINTS_PER_MM
    width, height = layout.mask.width_mm * POINTS_PER_MM, layout.mask.height_mm * POINTS_PER_MM
    placing = f"q {width:.6f} 0 0 {height:.6f} {left:.6f} {top - height:.6f} cm /{TEXTURE_NAME} Do Q\n"
    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(drawing)) as document:
        if image is not None:
            page = document.pages[0]
            page.add_resource(_image_stream(document, image), pikepdf.Name.XObject, pikepdf.Name("/" + TEXTURE_NAME))
            page.contents_add(placing.encode(), prepend=True)
        document.save(buffer, deterministic_id=True, recompress_flate=False)
    return buffer.getvalue()


def _image_stream(document: pikepdf.Pdf, image: PackedImage) -> pikepdf.Stream:
    import pikepdf

    return pikepdf.Stream(
        document,
        image.data,
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=image.width_px,
        Height=image.height_px,
        ColorSpace=pikepdf.Name.DeviceRGB,
        BitsPerComponent=8,
        Interpolate=True,
        Filter=pikepdf.Name.FlateDecode,
        DecodeParms=pikepdf.Dictionary(Predictor=15, Colors=3, BitsPerComponent=8, Columns=image.width_px),
    )
