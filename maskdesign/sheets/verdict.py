"""What a measured sheet is told: true to scale, or what to switch off before it is printed again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from maskdesign.sheets.paper import Paper
from maskdesign.sheets.targets import Scale, target_rules

BASE_MM = 150.0
REMEDY = 'switch off "fit to page" and print at 100 % (actual size)'


@dataclass(frozen=True)
class SheetCheck:
    """How true a sheet is to its scale.

    Attributes:
        source: "pdf", "scan" or "photo".
        pages: how many were measured; the figures below are those of the worst.
        page: number of that one in the file, 1 is the first.
        width_scale: measured over drawn length, left to right of the sheet; 1 is true.
        height_scale: the same, top to bottom.
        error: the largest departure from scale, share of a length, by either scale or by skew, in raster or vectors.
        error_mm_over_150: the same of 150 mm.
        residual_mm: root mean square of what the map of the targets leaves.
        vector_scale: width and height scale of the PDF's drawing instructions; None where they cannot be read.
        rotation_deg: how the sheet is turned, clockwise positive.
        skew_deg: departure from the right angle.
        mirrored: left and right exchanged.
        paper: what a photo's scale rests on; None for the others.
        verdict: one line for the user.
        passed: true to scale within 0.5 %, neither mirrored nor uneven.
    """

    source: str
    pages: int
    page: int
    width_scale: float
    height_scale: float
    error: float
    error_mm_over_150: float
    residual_mm: float
    vector_scale: tuple[float, float] | None
    rotation_deg: float
    skew_deg: float
    mirrored: bool
    paper: str | None
    verdict: str
    passed: bool


def judge(
    source: str,
    scale: Scale,
    vector: Scale | None,
    page: tuple[int, int] = (1, 1),
    mirrored: bool = False,
    paper: Paper | None = None,
) -> SheetCheck:
    """Judge what was measured of a page.

    Args:
        source: "pdf", "scan" or "photo".
        scale: measured in pixels.
        vector: measured in a PDF's drawing instructions; None where there are none.
        page: its number, and the number of all.
        mirrored: the picture was, before it was measured.
        paper: what a photo's scale rests on.
    """
    rules, mirrored = target_rules().check, mirrored or scale.mirrored
    error = max(_error(measured) for measured in (scale, vector) if measured is not None)
    verdict = _verdict(scale, error, mirrored)
    return SheetCheck(
        source=source,
        page=page[0],
        pages=page[1],
        width_scale=scale.width,
        height_scale=scale.height,
        error=error,
        error_mm_over_150=BASE_MM * error,
        residual_mm=scale.residual_mm,
        vector_scale=None if vector is None else (vector.width, vector.height),
        rotation_deg=scale.rotation_deg,
        skew_deg=scale.skew_deg,
        mirrored=mirrored,
        paper=None if paper is None else paper.name,
        verdict=verdict if paper is None else f"{verdict} (measured by the edges of {paper.title} paper)",
        passed=error <= rules.tolerance and scale.residual_mm <= rules.uneven_mm and not mirrored,
    )


def _error(scale: Scale) -> float:
    return max(abs(scale.width - 1), abs(scale.height - 1), _shear(scale))


def _shear(scale: Scale) -> float:
    return abs(math.sin(math.radians(scale.skew_deg)))


def _verdict(scale: Scale, error: float, mirrored: bool) -> str:
    rules = target_rules().check
    if mirrored:
        return "printed mirrored: switch off mirror or transfer printing"
    if scale.residual_mm > rules.uneven_mm:
        return f"uneven by {scale.residual_mm:.2f} mm: lay the page flat and scan or photograph it again"
    if error <= rules.tolerance:
        return f"true to scale: off by {100 * error:.2f} %, {BASE_MM * error:.2f} mm over {BASE_MM:g} mm"
    if _shear(scale) > rules.tolerance:
        return f"skewed by {scale.skew_deg:.2f} degrees: lay the page straight and print or scan it again"
    if abs(scale.width - scale.height) > rules.tolerance:
        return f"printed at {_percent(scale.width)} in width and {_percent(scale.height)} in height: {REMEDY}"
    return f"printed at {_percent((scale.width + scale.height) / 2)}: {REMEDY}"


def _percent(scale: float) -> str:
    return f"{100 * scale:.1f} %"
