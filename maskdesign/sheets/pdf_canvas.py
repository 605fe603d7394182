"""The canvas that writes PDF 1.7."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any

from maskdesign import __version__
from maskdesign.sheets.drafting import Points
from maskdesign.sheets.page import Box
from maskdesign.sheets.paper import Paper
from maskdesign.sheets.targets import FORM_NAME, target_rules
from maskdesign.sheets.template import LAYERS, LineStyle
from maskdesign.sheets.texture import PackedImage
from maskdesign.sheets.type import POINTS_PER_MM, Typeface

if TYPE_CHECKING:
    import pikepdf

TEXTURE_NAME = "MaskdesignTexture"
EVEN_ODD = 0


class PdfCanvas:
    """Pages drawn by reportlab; the picture, the layers and the boxes are put in by pikepdf, which knows them."""

    def __init__(self, title: str, keywords: str) -> None:
        from reportlab.pdfgen.canvas import Canvas

        self._buffer = io.BytesIO()
        self._canvas = Canvas(self._buffer, invariant=1, pageCompression=0, pdfVersion=(1, 7))
        self._canvas.setViewerPreference("PrintScaling", "None")
        self._canvas.setTitle(title)
        self._canvas.setAuthor("maskdesign")
        self._canvas.setCreator(f"maskdesign {__version__}")
        self._canvas.setSubject("Print at 100 % (actual size). Paper/fabric overlay, not a medical device.")
        self._canvas.setKeywords(keywords)
        self._papers: list[Paper] = []
        self._targets: set[int] = set()
        self._image: PackedImage | None = None

    def begin_page(self, paper: Paper) -> None:
        """Start a page."""
        if self._papers:
            self._canvas.showPage()
        self._papers.append(paper)
        self._canvas.setPageSize((paper.width_mm * POINTS_PER_MM, paper.height_mm * POINTS_PER_MM))

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        """An optional content group, by marked content (PDF 1.7, 8.11.3.2)."""
        self._canvas.addLiteral(f"/OC /{name} BDC")
        yield
        self._canvas.addLiteral("EMC")

    @contextmanager
    def clipped(self, area: Box | Points) -> Iterator[None]:
        """What is drawn inside shows in the box or the polygon only."""
        self._canvas.saveState()
        path = self._canvas.beginPath()
        if isinstance(area, Box):
            path.rect(*self._area(area))
        else:
            self._trace(path, area, True, self._points)
        self._canvas.clipPath(path, stroke=0, fill=0)
        yield
        self._canvas.restoreState()

    def path(self, rings_mm: Sequence[Points], closed: bool, stroke: LineStyle | None, fill: str | None) -> None:
        """Lines through points."""
        self._draw(rings_mm, closed, stroke, fill, self._points)

    def _draw(
        self, rings_mm: Sequence[Points], closed: bool, stroke: LineStyle | None, fill: str | None, points: Any
    ) -> None:
        path = self._canvas.beginPath()
        for ring in rings_mm:
            self._trace(path, ring, closed, points)
        if stroke is not None:
            self._use(stroke)
        if fill is not None:
            self._canvas.setFillColor(fill)
        self._canvas.drawPath(path, stroke=int(stroke is not None), fill=int(fill is not None), fillMode=EVEN_ODD)

    @staticmethod
    def _trace(path: Any, ring: Points, closed: bool, points: Any) -> None:
        path.moveTo(*points(*ring[0]))
        for point in ring[1:]:
            path.lineTo(*points(*point))
        if closed:
            path.close()

    def circle(self, x_mm: float, y_mm: float, radius_mm: float, stroke: LineStyle) -> None:
        """A ring around a center."""
        self._use(stroke)
        self._canvas.circle(*self._points(x_mm, y_mm), radius_mm * POINTS_PER_MM, stroke=1, fill=0)

    def type(self, words: str, x_mm: float, baseline_mm: float, size_pt: float, face: Typeface, color: str) -> None:
        """One line of type."""
        self._canvas.setFillColor(color)
        self._canvas.setFont(face.name, size_pt)
        self._canvas.drawString(*self._points(x_mm, baseline_mm), words)

    def picture(self, image: PackedImage, box: Box) -> None:
        """The sheet's picture; its pixels are put in when the document is finished."""
        self._image = image
        left, bottom, width, height = self._area(box)
        self._canvas.addLiteral(f"q {width:.6f} 0 0 {height:.6f} {left:.6f} {bottom:.6f} cm /{TEXTURE_NAME} Do Q")

    def target(self, code: int, x_mm: float, y_mm: float, rings_mm: Sequence[Points]) -> None:
        """A form of its own whose name carries the code, its center the origin: its placement says where it is."""
        name = f"{FORM_NAME}{code}"
        if code not in self._targets:
            self._targets.add(code)
            reach = ceil(target_rules().side_mm / 2 * POINTS_PER_MM)
            self._canvas.beginForm(name, -reach, -reach, reach, reach)
            self._draw(rings_mm, True, None, "#000000", lambda x, y: (x * POINTS_PER_MM, -y * POINTS_PER_MM))
            self._canvas.endForm()
        self._canvas.saveState()
        self._canvas.translate(*self._points(x_mm, y_mm))
        self._canvas.doForm(name)
        self._canvas.restoreState()

    def _use(self, style: LineStyle) -> None:
        self._canvas.setStrokeColor(style.color)
        self._canvas.setLineWidth(style.width_mm * POINTS_PER_MM)
        self._canvas.setDash([length * POINTS_PER_MM for length in style.dash_mm])

    def _points(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        return x_mm * POINTS_PER_MM, (self._papers[-1].height_mm - y_mm) * POINTS_PER_MM

    def _area(self, box: Box) -> tuple[float, float, float, float]:
        left, bottom = self._points(box.x_mm, box.bottom_mm)
        return left, bottom, box.width_mm * POINTS_PER_MM, box.height_mm * POINTS_PER_MM

    def finish(self, hidden: Sequence[str], outlines: Sequence[tuple[Box, Box] | None], trim_to_outline: bool) -> bytes:
        """The document.

        Args:
            hidden: layers that are neither shown nor printed until a user asks for them.
            outlines: of each page: what is cut out, and that with its bleed; None where nothing is.
            trim_to_outline: TrimBox and BleedBox are those of the piece, else of the page.
        """
        import pikepdf

        self._canvas.save()
        buffer = io.BytesIO()
        with pikepdf.open(io.BytesIO(self._buffer.getvalue())) as document:
            groups = _add_layers(document, hidden)
            image = None if self._image is None else document.make_indirect(_image_stream(document, self._image))
            for page, paper, outline in zip(document.pages, self._papers, outlines, strict=True):
                page.obj.Resources["/Properties"] = groups
                if image is not None and outline is not None:
                    page.add_resource(image, pikepdf.Name.XObject, pikepdf.Name("/" + TEXTURE_NAME))
                _set_boxes(page, paper, outline, trim_to_outline)
            document.save(buffer, deterministic_id=True, recompress_flate=False)
        return buffer.getvalue()


def _add_layers(document: pikepdf.Pdf, hidden: Sequence[str]) -> pikepdf.Dictionary:
    import pikepdf

    groups = {
        name: document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name=name.capitalize()))
        for name in LAYERS
    }
    shown = pikepdf.Dictionary(
        Name="Layers",
        Order=pikepdf.Array(groups.values()),
        ON=pikepdf.Array([group for name, group in groups.items() if name not in hidden]),
        OFF=pikepdf.Array([group for name, group in groups.items() if name in hidden]),
    )
    document.Root.OCProperties = pikepdf.Dictionary(OCGs=pikepdf.Array(groups.values()), D=shown)
    return pikepdf.Dictionary({f"/{name}": group for name, group in groups.items()})


def _set_boxes(page: Any, paper: Paper, outline: tuple[Box, Box] | None, trim_to_outline: bool) -> None:
    """ArtBox is the outline to cut. TrimBox is the page unless a print shop asks for the outline.

    CUPS and qpdf take the trimmed page for the whole one, and would cut off or scale what lies beyond it.
    """
    whole = Box(0, 0, paper.width_mm, paper.height_mm)
    cut, bleed = outline or (whole, whole)
    page.artbox = _pdf_box(cut, paper)
    page.trimbox, page.bleedbox = (
        (_pdf_box(cut, paper), _pdf_box(bleed, paper)) if trim_to_outline else (page.mediabox, page.mediabox)
    )


def _pdf_box(box: Box, paper: Paper) -> list[float]:
    """Within the page, as the standard asks; a tile's outline reaches beyond it."""
    sides = (box.x_mm, paper.height_mm - box.bottom_mm, box.right_mm, paper.height_mm - box.y_mm)
    longest = (paper.width_mm, paper.height_mm) * 2
    return [round(min(max(side, 0.0), most) * POINTS_PER_MM, 6) for side, most in zip(sides, longest, strict=True)]


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
