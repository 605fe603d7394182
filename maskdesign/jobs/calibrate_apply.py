"""A calibration as a configuration: what was measured takes the place of what a design assumes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from maskdesign.config import from_mapping, read_toml
from maskdesign.errors import InputError
from maskdesign.files import write_text
from maskdesign.jobs.calibrate_reading import require_result
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import widest_opening_mm

DESIGN = "design.toml"
AROUND_MM = 4.0
"""A mask is never put on twice alike: the design meets openings this far to either side of the measured one."""


NOT_WRITTEN = f"no {DESIGN}: the worn mask's fit carries a WARNING; give better photos to `maskdesign calibrate photo`"


def is_doubted(document: dict[str, Any]) -> bool:
    """Whether the fit of the worn mask carries a WARNING."""
    return bool(document.get("worn", {}).get("doubted", False))


def write_design(folder: Path, document: dict[str, Any]) -> None:
    """Write `design.toml`, for `design --calibration`; nothing where neither a worn mask nor colors are known.

    The measured opening is the one that is shown and judged; the design meets one to either side of it. Where the fit
    is doubted there is no file afterwards, an older one neither.
    """
    if is_doubted(document):
        (folder / DESIGN).unlink(missing_ok=True)
        return
    lines = _worn_lines(document["worn"]) if "worn" in document else []
    if color := document.get("color"):
        response = color["response"]
        lines += ["[render.print_response]"]
        lines += [f"{name} = {[list(row) for row in response[name]]}" for name in ("exponents", "coefficients")]
    if lines:
        write_text(folder / DESIGN, "# Written by maskdesign calibrate.\n" + "\n".join(lines) + "\n")
        read_toml(folder / DESIGN)


def calibrated_values(folder: Path) -> dict[str, Any]:
    """What a calibration folder tells a design: openings, placement, print response, in the places of `JobConfig`.

    Raises:
        InputError: nothing calibrated there, a fit that carries a WARNING, or nothing that a design can use.
    """
    document = require_result(folder)
    if is_doubted(document):
        raise InputError(f"{folder}: {NOT_WRITTEN}")
    if not (folder / DESIGN).exists():
        raise InputError(
            f"{folder}: tells neither how the mask lies nor its colors; add photos of the worn board "
            "(`maskdesign calibrate photo`) or of the chart (`maskdesign calibrate color`)"
        )
    return read_toml(folder / DESIGN)


def _worn_lines(worn: dict[str, Any]) -> list[str]:
    pattern = from_mapping(MaskPattern, _given(worn["pattern"]), "pattern")
    low, high = pattern.folded_height_mm, widest_opening_mm(pattern)
    opening = round(min(max(worn["asked_opening_mm"], low + 1), high - 1), 1)
    around = [round(max(opening - AROUND_MM, low), 1), round(min(opening + AROUND_MM, high), 1)]
    sheet = asdict(replace(pattern, nose_v_mm=round(pattern.nose_v_mm + worn["placement_mm"], 1)))
    lines = [f"openings_mm = {around}", "[drape]", f"opening_mm = {opening}"]
    lines += ["[evaluation]", f"opening_mm = {opening}", "[mask]"]
    return lines + [f"{name} = {json.dumps(value)}" for name, value in _given(sheet).items()]


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: what is left out takes its default."""
    return {name: value for name, value in values.items() if value is not None}
