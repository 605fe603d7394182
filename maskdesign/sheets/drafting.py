"""Drawing in page millimeters on a reportlab canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from maskdesign.sheets.template import LineStyle

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

POINTS_PER_MM = 72 / 25.4
REGULAR, BOLD = "Helvetica", "Helvetica-Bold"
INK, GRAY = "#1a1a1a", "#5a5a5a"
ELLIPSIS = "..."
EVEN_ODD = 0


@dataclass(frozen=True)
class Pen:
    """A canvas that counts as the rest of the program does.

    Convention: page millimeters, x right and y down from the upper left corner of the paper; type sizes in points.
    """

    canvas: Canvas
    page_height_mm: float

    def line(self, style: LineStyle, *points_mm: tuple[float, float]) -> None:
        """An open line through the points, over its halo where the style has one."""
        if style.halo_mm > 0:
            self._stroke(LineStyle(style.halo_mm, "#ffffff", (), 0), points_mm)
        self._stroke(style, points_mm)

    def _stroke(self, style: LineStyle, points_mm: Sequence[tuple[float, float]]) -> None:
        self._use(style)
        path = self.canvas.beginPath()
        path.moveTo(*self.points(*points_mm[0]))
        for point in points_mm[1:]:
            path.lineTo(*self.points(*point))
        self.canvas.drawPath(path, stroke=1, fill=0)

    def _use(self, style: LineStyle) -> None:
        self.canvas.setStrokeColor(style.color)
        self.canvas.setLineWidth(style.width_mm * POINTS_PER_MM)
        self.canvas.setDash([length * POINTS_PER_MM for length in style.dash_mm])

    def rectangle(self, style: LineStyle, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> None:
        """An outline whose middle runs along the edge of the rectangle."""
        self._use(style)
        self.canvas.rect(*self._area(x_mm, y_mm, width_mm, height_mm), stroke=1, fill=0)

    def patch(self, color: str, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> None:
        """A filled rectangle without an outline."""
        self.canvas.setFillColor(color)
        self.canvas.rect(*self._area(x_mm, y_mm, width_mm, height_mm), stroke=0, fill=1)

    def polygon(self, color: str, *rings_mm: Sequence[tuple[float, float]]) -> None:
        """A filled polygon without an outline; rings inside the first one are holes (even-odd rule)."""
        self.canvas.setFillColor(color)
        path = self.canvas.beginPath()
        for ring in rings_mm:
            path.moveTo(*self.points(*ring[0]))
            for point in ring[1:]:
                path.lineTo(*self.points(*point))
            path.close()
        self.canvas.drawPath(path, stroke=0, fill=1, fillMode=EVEN_ODD)

    def circle(self, style: LineStyle, x_mm: float, y_mm: float, radius_mm: float) -> None:
        """A ring around a center."""
        self._use(style)
        self.canvas.circle(*self.points(x_mm, y_mm), radius_mm * POINTS_PER_MM, stroke=1, fill=0)

    def text(
        self,
        words: str,
        x_mm: float,
        baseline_mm: float,
        size_pt: float = 6.5,
        font: str = REGULAR,
        color: str = INK,
        anchor: Literal["start", "middle", "end"] = "start",
        widest_mm: float | None = None,
    ) -> None:
        """One line of type.

        Args:
            anchor: which part of the line stands at `x_mm`.
            widest_mm: shrinks, then shortens the line in the middle until it fits.
        """
        words = printable(words)
        if widest_mm is not None:
            words, size_pt = fit_words(words, font, size_pt, widest_mm)
        shift_mm = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * words_width_mm(words, font, size_pt)
        self.canvas.setFillColor(color)
        self.canvas.setFont(font, size_pt)
        self.canvas.drawString(*self.points(x_mm - shift_mm, baseline_mm), words)

    def points(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """PDF points, y up from the lower edge."""
        return x_mm * POINTS_PER_MM, (self.page_height_mm - y_mm) * POINTS_PER_MM

    def _area(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> tuple[float, float, float, float]:
        left, bottom = self.points(x_mm, y_mm + height_mm)
        return left, bottom, width_mm * POINTS_PER_MM, height_mm * POINTS_PER_MM


def printable(words: str) -> str:
    """The words with what the built-in fonts lack (all but Windows-1252) and line breaks as "?"."""
    flat = "".join(character if character.isprintable() else "?" for character in words)
    return flat.encode("cp1252", errors="replace").decode("cp1252")


def words_width_mm(words: str, font: str, size_pt: float) -> float:
    """Length of a line of type."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return stringWidth(words, font, size_pt) / POINTS_PER_MM


def fit_words(words: str, font: str, size_pt: float, widest_mm: float) -> tuple[str, float]:
    """Shrink a line to no less than 70 % of its size, then leave out its middle, until it fits.

    Returns:
        the words and their size in points.
    """
    needed_mm = words_width_mm(words, font, size_pt)
    if needed_mm <= widest_mm:
        return words, size_pt
    size_pt *= max(widest_mm / needed_mm, 0.7)
    keep, shortened = len(words), words
    while keep > 1 and words_width_mm(shortened, font, size_pt) > widest_mm:
        keep -= 1
        shortened = words[: (keep + 1) // 2] + ELLIPSIS + words[len(words) - keep // 2 :]
    return shortened, size_pt
