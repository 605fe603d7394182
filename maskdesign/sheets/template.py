"""The measures of the printed page, read from print_templates/ and from the user's own template."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from maskdesign.config import from_mapping, merge, read_toml
from maskdesign.errors import InputError
from maskdesign.files import data_path

DEFAULT = "sheet"
LAYERS = ("texture", "chessboard", "lines", "notes")


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
    dash_mm: tuple[float, ...] = ()
    halo_mm: float = 0.0


@dataclass(frozen=True)
class Lines:
    """One style for each kind of line."""

    cut: LineStyle
    seam: LineStyle
    mountain: LineStyle
    valley: LineStyle
    mark: LineStyle
    fine: LineStyle


@dataclass(frozen=True)
class PageRules:
    """Table [page] of print_templates/sheet.toml, where the meaning of each value stands."""

    margin_mm: float
    gap_mm: float
    widest_gap_mm: float
    overlap_mm: float
    copies: int
    cover: bool
    boxes: str


@dataclass(frozen=True)
class PieceRules:
    """Table [piece]."""

    bleed_mm: float
    seam_mm: float
    stretch_x: float
    stretch_y: float
    mirrored: bool
    fold_lines: str

    @property
    def beyond_mm(self) -> float:
        """How far the texture goes on beyond the outline."""
        return self.bleed_mm + self.seam_mm


@dataclass(frozen=True)
class Material:
    """Table [material]: what is printed on, and what its user must know."""

    name: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TextureRules:
    """Table [texture]."""

    dpi: float
    colors: int


@dataclass(frozen=True)
class Marks:
    """Table [marks]."""

    beside_mm: float
    above_mm: float
    nose_wire_mm: float
    square_mm: float
    square_inch: float
    ruler_mm: float
    strip_mm: float


@dataclass(frozen=True)
class Layers:
    """Table [layers]."""

    hidden: tuple[str, ...]


@dataclass(frozen=True)
class Fonts:
    """Table [fonts]."""

    regular: str
    bold: str


@dataclass(frozen=True)
class Template:
    """Every number of a page template.

    Raises:
        InputError: a value outside its range; the message names it.
    """

    page: PageRules
    piece: PieceRules
    material: Material
    texture: TextureRules
    marks: Marks
    layers: Layers
    fonts: Fonts
    lines: Lines

    def __post_init__(self) -> None:
        for table, name, low, high in RANGES:
            value = getattr(getattr(self, table), name)
            if not low <= value <= high:
                raise InputError(f"template: {table}.{name} = {value:g} must lie between {low:g} and {high:g}")
        for table, name, choices in CHOICES:
            given = getattr(getattr(self, table), name)
            for value in (given,) if isinstance(given, str) else given:
                if value not in choices:
                    raise InputError(f"template: {table}.{name} = {value!r}; choose of {', '.join(choices)}")
        for field in fields(self.lines):
            _check_line(field.name, getattr(self.lines, field.name))


RANGES = (
    ("page", "margin_mm", 3, 50),
    ("page", "gap_mm", 1, 50),
    ("page", "widest_gap_mm", 1, 100),
    ("page", "overlap_mm", 0, 40),
    ("page", "copies", 1, 100),
    ("piece", "bleed_mm", 0, 30),
    ("piece", "seam_mm", 0, 30),
    ("piece", "stretch_x", 0.7, 1.5),
    ("piece", "stretch_y", 0.7, 1.5),
    ("texture", "dpi", 72, 1200),
    ("texture", "colors", 1, 24),
    ("marks", "beside_mm", 7.5, 50),
    ("marks", "above_mm", 5, 50),
    ("marks", "nose_wire_mm", 20, 400),
    # The squares and the ruler are what a user measures with: their place on the page is fixed, their size nearly so.
    ("marks", "square_mm", 30, 60),
    ("marks", "square_inch", 1, 2.5),
    ("marks", "ruler_mm", 50, 200),
    ("marks", "strip_mm", 3, 20),
)
CHOICES = (
    ("page", "boxes", ("page", "outline")),
    ("piece", "fold_lines", ("across", "beside")),
    ("layers", "hidden", LAYERS),
)


def _check_line(name: str, style: LineStyle) -> None:
    digits = style.color.removeprefix("#")
    if len(digits) != 6 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        raise InputError(f'template: lines.{name}.color = {style.color!r} must be written as "#rrggbb"')
    if not 0 < style.width_mm <= 2 or not 0 <= style.halo_mm <= 3:
        raise InputError(f"template: lines.{name}: width_mm must lie between 0 and 2, halo_mm between 0 and 3")
    if any(length <= 0 for length in style.dash_mm):
        raise InputError(f"template: lines.{name}.dash_mm = {list(style.dash_mm)}: lengths must be positive")


def shipped_toml(name: str) -> dict[str, Any]:
    """One document of print_templates/, for example "papers.toml"."""
    return read_toml(data_path(f"print_templates/{name}"))


@cache
def sheet_template() -> Template:
    """The page template that a sheet has unless another is named."""
    return load_template(DEFAULT)


def load_template(name: str) -> Template:
    """A page template by its name in print_templates/ or by the path of a TOML file; it names only what differs.

    Raises:
        InputError: no such template, or a value outside its range.
        ConfigError: an unknown key (with the nearest one), or a value of the wrong type.
    """
    document = _merged(name, depth=0)
    document.pop("base", None)
    return from_mapping(Template, document)


def _merged(name: str, depth: int) -> dict[str, Any]:
    if name == DEFAULT:
        return shipped_toml(f"{DEFAULT}.toml")
    if depth > 8:
        raise InputError(f"template {name}: its bases name each other in a circle")
    document = _document(name)
    return merge(_merged(str(document.get("base", DEFAULT)), depth + 1), document)


def _document(name: str) -> dict[str, Any]:
    if not name.endswith(".toml"):
        known = page_templates()
        if name not in known:
            raise InputError(f"template {name!r}: unknown; choose of {', '.join(known)} or give a .toml file")
        return shipped_toml(f"{name}.toml")
    path = Path(name)
    document = read_toml(path)
    for font, file in document.get("fonts", {}).items():
        if str(file).lower().endswith((".ttf", ".otf")):
            document["fonts"][font] = str(path.parent / str(file))
    return document


def page_templates() -> list[str]:
    """Names of the page templates of print_templates/; its other files hold masks, papers and targets."""
    folder = data_path("print_templates")
    others = ("papers", "targets")
    names = sorted(path.stem for path in folder.glob("*.toml") if path.stem not in others)
    return [name for name in names if "mask" not in shipped_toml(f"{name}.toml")]
