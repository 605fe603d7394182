"""The canvas that writes SVG in millimeters, a document for each page, for cutters and drawing programs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from xml.sax.saxutils import escape, quoteattr

from maskdesign.sheets.drafting import Points
from maskdesign.sheets.page import Box
from maskdesign.sheets.paper import Paper
from maskdesign.sheets.targets import FORM_NAME
from maskdesign.sheets.template import LineStyle
from maskdesign.sheets.texture import PackedImage
from maskdesign.sheets.type import POINTS_PER_MM, Typeface

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
    'width="{0:g}mm" height="{1:g}mm" viewBox="0 0 {0:g} {1:g}">'
)


class SvgCanvas:
    """Pages as SVG: user units are millimeters, layers are groups that Inkscape shows as layers."""

    def __init__(self, title: str, hidden: Sequence[str]) -> None:
        self._title, self._hidden = title, hidden
        self._pages: list[list[str]] = []
        self._clips = 0

    def _add(self, element: str) -> None:
        self._pages[-1].append(element)

    def begin_page(self, paper: Paper) -> None:
        """Start a document."""
        head = HEAD.format(paper.width_mm, paper.height_mm)
        self._pages.append([head, f"<title>{escape(self._title)}</title>", _rectangle_white(paper)])

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        """A group."""
        display = ' style="display:none"' if name in self._hidden else ""
        self._add(f'<g inkscape:groupmode="layer" inkscape:label="{name.capitalize()}" class="{name}"{display}>')
        yield
        self._add("</g>")

    @contextmanager
    def clipped(self, area: Box | Points) -> Iterator[None]:
        """What is drawn inside shows in the box or the polygon only."""
        self._clips += 1
        shape = f"<rect {_place(area)}/>" if isinstance(area, Box) else f'<path d="{_data([area], True)}"/>'
        self._add(f'<clipPath id="clip{self._clips}">{shape}</clipPath>')
        self._add(f'<g clip-path="url(#clip{self._clips})">')
        yield
        self._add("</g>")

    def path(self, rings_mm: Sequence[Points], closed: bool, stroke: LineStyle | None, fill: str | None) -> None:
        """Lines through points."""
        self._add(f'<path d="{_data(rings_mm, closed)}" fill-rule="evenodd" fill="{fill or "none"}"{_stroke(stroke)}/>')

    def circle(self, x_mm: float, y_mm: float, radius_mm: float, stroke: LineStyle) -> None:
        """A ring around a center."""
        self._add(f'<circle cx="{x_mm:.4f}" cy="{y_mm:.4f}" r="{radius_mm:.4f}" fill="none"{_stroke(stroke)}/>')

    def type(self, words: str, x_mm: float, baseline_mm: float, size_pt: float, face: Typeface, color: str) -> None:
        """One line of type; other fonts than the measured one are squeezed to its width."""
        weight = ' font-weight="bold"' if "bold" in face.name.lower() else ""
        self._add(
            f'<text x="{x_mm:.4f}" y="{baseline_mm:.4f}" font-family="Helvetica, Arial, sans-serif" '
            f'font-size="{size_pt / POINTS_PER_MM:.4f}"{weight} fill="{color}" xml:space="preserve" '
            f'textLength="{face.width_mm(words, size_pt):.4f}" lengthAdjust="spacingAndGlyphs">{escape(words)}</text>'
        )

    def picture(self, image: PackedImage, box: Box) -> None:
        """The picture, inside the document."""
        data = base64.b64encode(image.png).decode()
        self._add(f'<image {_place(box)} preserveAspectRatio="none" xlink:href="data:image/png;base64,{data}"/>')

    def target(self, code: int, x_mm: float, y_mm: float, rings_mm: Sequence[Points]) -> None:
        """A group named after its code."""
        rings = [[(x_mm + x, y_mm + y) for x, y in ring] for ring in rings_mm]
        self._add(f"<g id={quoteattr(f'{FORM_NAME}{code}')}>")
        self.path(rings, True, None, "#000000")
        self._add("</g>")

    def finish(self) -> list[str]:
        """The documents, one for each page."""
        return ["\n".join([*page, "</svg>", ""]) for page in self._pages]


def _rectangle_white(paper: Paper) -> str:
    return f'<rect width="{paper.width_mm:g}" height="{paper.height_mm:g}" fill="#ffffff"/>'


def _place(box: Box) -> str:
    return f'x="{box.x_mm:.4f}" y="{box.y_mm:.4f}" width="{box.width_mm:.4f}" height="{box.height_mm:.4f}"'


def _data(rings_mm: Sequence[Points], closed: bool) -> str:
    rings = ("M" + "L".join(f"{x:.4f} {y:.4f}" for x, y in ring) for ring in rings_mm)
    return "".join(ring + ("Z" if closed else "") for ring in rings)


def _stroke(style: LineStyle | None) -> str:
    if style is None:
        return ""
    dash = f' stroke-dasharray="{" ".join(f"{length:g}" for length in style.dash_mm)}"' if style.dash_mm else ""
    return f' stroke="{style.color}" stroke-width="{style.width_mm:g}"{dash}'
