"""Drawing in page millimeters, on whatever canvas: a PDF or an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from maskdesign.sheets.page import Box
from maskdesign.sheets.paper import Paper
from maskdesign.sheets.template import Lines, LineStyle
from maskdesign.sheets.texture import PackedImage
from maskdesign.sheets.type import Typeface

INK, GRAY = "#1a1a1a", "#5a5a5a"
Points = Sequence[tuple[float, float]]


class Canvas(Protocol):
    """What a file format must be able to draw.

    Convention: page millimeters, x right and y down from the upper left corner of the paper; type sizes in points.
    """

    def begin_page(self, paper: Paper) -> None:
        """Start a page."""
        ...

    def layer(self, name: str) -> AbstractContextManager[None]:
        """What is drawn inside belongs to the layer."""
        ...

    def clipped(self, area: Box | Points) -> AbstractContextManager[None]:
        """What is drawn inside shows in the box or the polygon only."""
        ...

    def path(self, rings_mm: Sequence[Points], closed: bool, stroke: LineStyle | None, fill: str | None) -> None:
        """Lines through points; a filled path has holes where rings lie inside each other (even-odd rule)."""
        ...

    def circle(self, x_mm: float, y_mm: float, radius_mm: float, stroke: LineStyle) -> None:
        """A ring around a center."""
        ...

    def type(self, words: str, x_mm: float, baseline_mm: float, size_pt: float, face: Typeface, color: str) -> None:
        """One line of type that starts at x."""
        ...

    def picture(self, image: PackedImage, box: Box) -> None:
        """Pixels from edge to edge of the box; a sheet has one picture, drawn on as many pages as need it."""
        ...

    def target(self, code: int, x_mm: float, y_mm: float, rings_mm: Sequence[Points]) -> None:
        """A coded target by the place of its center; the rings are about that center."""
        ...


@dataclass(frozen=True)
class Pen:
    """A canvas, with the lines and the type that a template asks for."""

    canvas: Canvas
    lines: Lines
    regular: Typeface
    bold: Typeface

    def line(self, style: LineStyle, *points_mm: tuple[float, float]) -> None:
        """An open line through the points, over its halo where the style has one."""
        if style.halo_mm > 0:
            self.canvas.path(
                [points_mm], False, replace(style, width_mm=style.halo_mm, color="#ffffff", dash_mm=()), None
            )
        self.canvas.path([points_mm], False, style, None)

    def outline(self, style: LineStyle, *points_mm: tuple[float, float]) -> None:
        """A closed line through the points, over its halo where the style has one."""
        if style.halo_mm > 0:
            self.canvas.path(
                [points_mm], True, replace(style, width_mm=style.halo_mm, color="#ffffff", dash_mm=()), None
            )
        self.canvas.path([points_mm], True, style, None)

    def rectangle(self, style: LineStyle, box: Box) -> None:
        """An outline whose middle runs along the edge of the box."""
        self.outline(style, *_corners(box))

    def patch(self, color: str, box: Box) -> None:
        """A filled rectangle without an outline."""
        self.canvas.path([_corners(box)], True, None, color)

    def polygon(self, color: str, *rings_mm: Points) -> None:
        """A filled polygon without an outline; rings inside the first one are holes (even-odd rule)."""
        self.canvas.path(rings_mm, True, None, color)

    def circle(self, style: LineStyle, x_mm: float, y_mm: float, radius_mm: float) -> None:
        """A ring around a center."""
        self.canvas.circle(x_mm, y_mm, radius_mm, style)

    def text(
        self,
        words: str,
        x_mm: float,
        baseline_mm: float,
        size_pt: float = 6.5,
        bold: bool = False,
        color: str = INK,
        anchor: Literal["start", "middle", "end"] = "start",
        widest_mm: float | None = None,
    ) -> None:
        """One line of type.

        Args:
            anchor: which part of the line stands at `x_mm`.
            widest_mm: shrinks, then shortens the line in the middle until it fits.
        """
        face = self.bold if bold else self.regular
        words = face.printable(words)
        if widest_mm is not None:
            words, size_pt = face.fit(words, size_pt, widest_mm)
        shift_mm = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * face.width_mm(words, size_pt)
        self.canvas.type(words, x_mm - shift_mm, baseline_mm, size_pt, face, color)


def _corners(box: Box) -> list[tuple[float, float]]:
    return [(box.x_mm, box.y_mm), (box.right_mm, box.y_mm), (box.right_mm, box.bottom_mm), (box.x_mm, box.bottom_mm)]
