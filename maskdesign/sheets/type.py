"""Type: which fonts, how wide a line is, and how it is made to fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskdesign.errors import InputError
from maskdesign.sheets.template import Fonts

POINTS_PER_MM = 72 / 25.4
ELLIPSIS = "..."
REMEDY = "give the path of a TrueType file, or leave [fonts] out for Helvetica"


@dataclass(frozen=True)
class Typeface:
    """A font that lines are measured and set in.

    Attributes:
        name: as reportlab knows it.
        glyphs: the characters that an embedded font has; None for the built-in ones, which hold Windows-1252.
    """

    name: str
    glyphs: frozenset[int] | None = None

    def printable(self, words: str) -> str:
        """The words with what the font lacks and line breaks as "?"."""
        flat = "".join(character if character.isprintable() else "?" for character in words)
        if self.glyphs is None:
            return flat.encode("cp1252", errors="replace").decode("cp1252")
        return "".join(character if ord(character) in self.glyphs else "?" for character in flat)

    def width_mm(self, words: str, size_pt: float) -> float:
        """Length of a line of type."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        return stringWidth(words, self.name, size_pt) / POINTS_PER_MM

    def fit(self, words: str, size_pt: float, widest_mm: float) -> tuple[str, float]:
        """Shrink a line to no less than 70 % of its size, then leave out its middle, until it fits.

        Returns:
            the words and their size in points.
        """
        needed_mm = self.width_mm(words, size_pt)
        if needed_mm <= widest_mm:
            return words, size_pt
        size_pt *= max(widest_mm / needed_mm, 0.7)
        keep, shortened = len(words), words
        while keep > 1 and self.width_mm(shortened, size_pt) > widest_mm:
            keep -= 1
            shortened = words[: (keep + 1) // 2] + ELLIPSIS + words[len(words) - keep // 2 :]
        return shortened, size_pt

    def wrap(self, words: str, size_pt: float, widest_mm: float) -> list[str]:
        """Lines of at most this width, broken at spaces."""
        lines: list[str] = []
        for word in words.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width_mm(longer, size_pt) <= widest_mm:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines


def find_typefaces(fonts: Fonts) -> tuple[Typeface, Typeface]:
    """Regular and bold.

    Raises:
        InputError: a font file that is missing or is no TrueType font.
    """
    return _typeface("regular", fonts.regular), _typeface("bold", fonts.bold)


def _typeface(use: str, name: str) -> Typeface:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    if name in pdfmetrics.standardFonts:
        return Typeface(name)
    path = Path(name)
    if not path.is_file():
        raise InputError(f"fonts.{use} = {name!r}: no such font; {REMEDY}")
    try:
        # Fonts are registered for the whole process, so one file has one name.
        font: Any = TTFont(str(path.resolve()), str(path))
    except (TTFError, OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"fonts.{use} = {name!r}: not a TrueType font ({error}); {REMEDY}") from error
    pdfmetrics.registerFont(font)
    return Typeface(font.fontName, frozenset(font.face.charToGlyph))
