"""The measures of the printed page, read from print_templates/."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from maskdesign.files import data_path


@dataclass(frozen=True)
class LineStyle:
    """How a line is drawn.

    Attributes:
        width_mm: stroke width.
        color: "#rrggbb".
        dash_mm: lengths of dash, gap, dash, ...; empty for a solid line.
        halo_mm: width of the white line under it that keeps it readable on any color; 0 for none.
    """

    width_mm: float
    color: str
    dash_mm: tuple[float, ...]
    halo_mm: float


@dataclass(frozen=True)
class TargetFrame:
    """Four coded squares whose centers form a rectangle of known size.

    Attributes:
        ids: codes of the upper left, upper right, lower right and lower left target.
        width_mm: distance of the centers, left to right.
        height_mm: distance of the centers, top to bottom.
    """

    ids: tuple[int, int, int, int]
    width_mm: float
    height_mm: float

    @property
    def centers_mm(self) -> list[tuple[float, float]]:
        """The four centers in the order of `ids`; x right and y down from the upper left one."""
        return [(0.0, 0.0), (self.width_mm, 0.0), (self.width_mm, self.height_mm), (0.0, self.height_mm)]


@dataclass(frozen=True)
class Template:
    """Every number of print_templates/sheet.toml, with the meaning that stands there."""

    margin_mm: float
    clearance_mm: float
    side_mm: float
    least_gap_mm: float
    widest_gap_mm: float
    texture_dpi: float
    texture_colors: int
    target_dictionary: str
    target_mm: float
    frames: tuple[TargetFrame, ...]
    check_dpi: float
    tolerance_mm: float
    nose_wire_mm: float
    square_mm: float
    square_inch: float
    ruler_mm: float
    strip_mm: float
    lines: dict[str, LineStyle]


def read_toml(name: str) -> dict[str, Any]:
    """One document of print_templates/, for example "papers.toml"."""
    with data_path(f"print_templates/{name}").open("rb") as stream:
        return tomllib.load(stream)


@cache
def sheet_template() -> Template:
    """The page template that this program ships."""
    document = read_toml("sheet.toml")
    texture, targets, check = document["texture"], document["targets"], document["check"]
    return Template(
        **document["page"],
        **document["marks"],
        texture_dpi=texture["dpi"],
        texture_colors=texture["colors"],
        target_dictionary=targets["dictionary"],
        target_mm=targets["side_mm"],
        frames=tuple(_frame(entry) for entry in targets["frames"]),
        check_dpi=check["dpi"],
        tolerance_mm=check["tolerance_mm"],
        lines={name: _line(entry) for name, entry in document["lines"].items()},
    )


def _frame(entry: dict[str, Any]) -> TargetFrame:
    upper_left, upper_right, lower_right, lower_left = entry["ids"]
    return TargetFrame((upper_left, upper_right, lower_right, lower_left), entry["width_mm"], entry["height_mm"])


def _line(entry: dict[str, Any]) -> LineStyle:
    return LineStyle(entry["width_mm"], entry["color"], tuple(entry["dash_mm"]), entry["halo_mm"])
