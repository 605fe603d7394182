"""Papers by name and by size."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from maskdesign.errors import UsageError
from maskdesign.sheets.template import shipped_toml

MM_PER_INCH = 25.4
SMALLEST_PAPER_MM, LARGEST_PAPER_MM = 50.0, 1500.0


@dataclass(frozen=True)
class Paper:
    """A page.

    Attributes:
        name: as the user calls it.
        width_mm: left to right; the shorter side where `find_paper` made it.
        height_mm: top to bottom.
    """

    name: str
    width_mm: float
    height_mm: float

    @property
    def title(self) -> str:
        """Its name as it is printed: A4, Letter, 210 × 297 mm."""
        if self.name[0].isdigit():
            return self.name.replace("x", " × ") + " mm"
        return self.name.upper() if self.name[-1].isdigit() else self.name.capitalize()

    @property
    def lying(self) -> Paper:
        """The same page turned by a quarter."""
        return Paper(self.name, self.height_mm, self.width_mm)


def find_paper(name: str) -> Paper:
    """A paper by its name in print_templates/papers.toml, or of any size as "WIDTHxHEIGHT" in millimeters.

    A paper given lying is turned upright: a printer does not care, and the layout turns it where that fits better.

    Raises:
        UsageError: an unknown name (the nearest one is offered) or a size outside 50 to 1500 mm.
    """
    papers = shipped_toml("papers.toml")
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


def known_papers() -> list[Paper]:
    """Every paper of print_templates/papers.toml, upright."""
    return [Paper(name, **size) for name, size in shipped_toml("papers.toml").items()]
