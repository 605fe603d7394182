"""A user's own mask outline from a drawing: SVG or DXF -> one closed polygon in sheet millimeters.

Of SVG: path, polygon, polyline, line, rect, circle and ellipse with their transforms, in a document whose width is
given in mm, cm or in. Of DXF: LINE, ARC, CIRCLE, ELLIPSE, SPLINE, POLYLINE and LWPOLYLINE in model space, with a unit.
Curves become chords that stay within 0.1 mm. Nothing outside of the file is read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from maskdesign.config import from_mapping
from maskdesign.errors import MaskdesignError, PatternError
from maskdesign.files import check_readable
from maskdesign.mask.pattern import MaskPattern

MAX_BYTES = 4 << 20
MAX_PIECES = 1000
JOIN_MM = 0.05
"""Ends of lines that are nearer than this are one corner."""
STEP_MM, CHORD_MM = 0.5, 0.03
"""Samples along a curve, and how far the chords that are kept may leave them."""
FOREIGN = ("use", "image", "script", "foreignObject")
DRAWN = {"LINE", "ARC", "CIRCLE", "ELLIPSE", "SPLINE", "POLYLINE", "LWPOLYLINE"}
SILENT = {"TEXT", "MTEXT", "POINT"}
Piece = NDArray[np.float64]


def with_outline(mask: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A table [mask] whose `outline`, the name of a drawing in the table's folder, has become points `outline_mm`.

    The middle of the drawing goes to half the sheet's width and its uppermost point to the sheet's upper edge.

    Raises:
        PatternError: a drawing outside of the folder, one that cannot be read, or an outline the pattern cannot have.
        ConfigError: a key of the table that does not exist.
    """
    values = dict(mask)
    if "outline" not in values:
        return values
    name = values.pop("outline")
    path = folder / str(name)
    if not isinstance(name, str) or not path.resolve().is_relative_to(folder.resolve()):
        raise PatternError(f"mask.outline = {name!r}: must name a file in the pattern's own folder; copy it there")
    pattern = from_mapping(MaskPattern, values, "mask")
    ring = read_outline(path)
    low, high = ring.min(axis=0), ring.max(axis=0)
    placed = np.round(ring - [(low[0] + high[0] - pattern.width_mm) / 2, low[1]], 6)
    for axis, sheet_mm in enumerate((pattern.width_mm, pattern.height_mm)):
        for edge_mm in (0.0, sheet_mm):
            placed[abs(placed[:, axis] - edge_mm) < JOIN_MM, axis] = edge_mm
    values["outline_mm"] = tuple((float(u), float(v)) for u, v in placed)
    try:
        replace(pattern, outline_mm=values["outline_mm"])
    except PatternError as error:
        raise PatternError(f"{path}: {error}") from error
    return values


def read_outline(path: Path) -> Piece:
    """The one closed line of a drawing.

    Returns:
        (n, 2) millimeters, y down, wherever the drawing has it.

    Raises:
        InputError: no such file.
        PatternError: too large, damaged, without a unit, with parts outside of the file, not closed, or several lines.
    """
    readers = {".svg": _svg_pieces, ".dxf": _dxf_pieces}
    check_readable(path)
    if path.suffix.lower() not in readers:
        raise PatternError(f"{path}: an outline is an .svg or a .dxf file; export it as one of these")
    if path.stat().st_size > MAX_BYTES:
        raise PatternError(f"{path}: larger than {MAX_BYTES >> 20} MiB; export the outline alone")
    try:
        return _one_ring(readers[path.suffix.lower()](path.read_bytes()))
    except MaskdesignError as error:
        raise PatternError(f"{path}: {error}") from error
    except Exception as error:  # Whatever the libraries raise at a damaged drawing.
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise PatternError(f"{path}: the drawing is damaged ({reason}); export it again") from error


def _one_ring(pieces: list[Piece]) -> Piece:
    from skimage.measure import approximate_polygon

    if not 0 < len(pieces) <= MAX_PIECES:
        raise PatternError(f"holds {len(pieces)} lines, an outline has 1 to {MAX_PIECES}; draw it alone")
    if not all(np.isfinite(piece).all() and abs(piece).max() < 1e5 for piece in pieces):
        raise PatternError("holds numbers that are not finite or beyond all measure; draw it again")
    ring, rest = pieces[0], pieces[1:]
    while np.linalg.norm(ring[-1] - ring[0]) > JOIN_MM or len(ring) < 3:
        following = _next(ring[-1], rest)
        if following is None:
            gap = float(np.linalg.norm(ring[-1] - ring[0]))
            raise PatternError(f"the outline is not closed, its ends are {gap:.2f} mm apart; join them")
        ring = np.concatenate([ring, following[1:]])
    if rest:
        raise PatternError(f"holds several outlines or {len(rest)} lines beside the outline; leave one closed line")
    ring = np.concatenate([ring[:-1], ring[:1]])
    return approximate_polygon(ring, CHORD_MM)[:-1]


def _next(end: Piece, rest: list[Piece]) -> Piece | None:
    """Take the piece that begins or ends here out of the rest, turned so that it begins here."""
    for number, piece in enumerate(rest):
        for turned in (piece, piece[::-1]):
            if np.linalg.norm(turned[0] - end) <= JOIN_MM:
                del rest[number]
                return turned
    return None


def _svg_pieces(data: bytes) -> list[Piece]:
    import svgelements

    text = data.decode("utf-8")
    _check_svg(text)
    drawing = svgelements.SVG.parse(io.StringIO(text), ppi=25.4)
    pieces: list[Piece] = []
    for element in drawing.elements(lambda element: isinstance(element, svgelements.Shape)):
        pieces += [_sample(svgelements.Path(line)) for line in svgelements.Path(element).as_subpaths()]
    return [piece for piece in pieces if len(piece) > 1]


def _check_svg(text: str) -> None:
    if "<!ENTITY" in text:
        raise PatternError("declares entities, which may lead out of the file; export plain SVG")
    root = ElementTree.fromstring(text)  # noqa: S314 - without entities there is nothing to expand or to fetch
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        links = [value for key, value in element.attrib.items() if key.rpartition("}")[2] == "href"]
        if name in FOREIGN or any(not link.startswith("#") for link in links) or "@import" in (element.text or ""):
            raise PatternError(f"refers to other drawings or files (<{name}>); unlink it and export the line alone")
    if not re.fullmatch(r"\s*[\d.eE+]+\s*(mm|cm|in)\s*", root.get("width", "")):
        raise PatternError(f"width = {root.get('width', '')!r} has no unit of length; set the page's unit to mm")


def _sample(line: Any) -> Piece:
    """Points along the segments of a path: the ends of straight ones, and every half millimeter of the curved ones."""
    import svgelements

    points = []
    for segment in line:
        if isinstance(segment, svgelements.Move):
            points.append(segment.end)
            continue
        straight = isinstance(segment, svgelements.Line | svgelements.Close)
        length = 0.0 if straight else float(segment.length(error=1e-3))
        if not length < 1e4:
            raise PatternError("holds a curve longer than 10 m; check the unit of the drawing")
        count = 1 if straight else max(16, int(np.ceil(length / STEP_MM)))
        points += [segment.point(t) for t in np.linspace(0, 1, count + 1)[1:]]
    return np.array([(point.x, point.y) for point in points if point is not None], dtype=np.float64).reshape(-1, 2)


def _dxf_pieces(data: bytes) -> list[Piece]:
    import ezdxf
    from ezdxf import units
    from ezdxf.enums import InsertUnits
    from ezdxf.path import make_path

    document = ezdxf.read(io.StringIO(data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")))  # type: ignore[attr-defined]
    unit = int(document.header.get("$INSUNITS", 0))
    if unit == 0:
        raise PatternError("$INSUNITS names no unit; set the drawing's unit to millimeters")
    scale_mm = units.conversion_factor(InsertUnits(unit), InsertUnits.Millimeters)
    pieces = []
    for entity in document.modelspace():
        kind = entity.dxftype()
        if kind not in DRAWN | SILENT:
            raise PatternError(f"holds {kind}, which is no line or refers to something else; explode or delete it")
        if kind in DRAWN:
            points = list(make_path(entity).flattening(CHORD_MM / scale_mm))
            pieces.append(np.array([(point.x, -point.y) for point in points], dtype=np.float64) * scale_mm)
    return [piece for piece in pieces if len(piece) > 1]
