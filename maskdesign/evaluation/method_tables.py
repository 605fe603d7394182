"""Tables of the comparison of methods, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def method_lines(figures: Mapping[str, Any]) -> list[str]:
    """The counterpart of PrivacyMask's Table 1, and this program's gain over every row of it."""
    names = list(figures["rows"][0]["recognizers"])
    titles = [name if name in figures["met"] else f"{name} (left out)" for name in names]
    detectors = list(figures["rows"][0]["faces_found"])
    header = ["method", *titles, *(f"found by {name}" for name in detectors), "NPS", "CPU s"]
    lines = [f"FNMR at FMR 1e-3 [95 % over people]; 1 - mean confidence; {figures['steps']} steps", ""]
    lines += [_line(header), _line(["---"] * len(header))]
    lines += [_line(_cells(row, names, detectors)) for row in figures["rows"]]
    lines += ["", _line(["this program's gain over", *titles]), _line(["---"] * (len(names) + 1))]
    gains = {(gain["method"], gain["recognizer"]): gain for gain in figures["gains"]}
    for method in dict.fromkeys(gain["method"] for gain in figures["gains"]):
        lines.append(_line([method, *(_gain(gains[method, name]) for name in names)]))
    return lines


def _cells(row: Mapping[str, Any], names: list[str], detectors: list[str]) -> list[str]:
    rates = []
    for name in names:
        found = row["recognizers"][name]
        low, high = found["fnmr_ci"]
        rates.append(f"{found['fnmr']:.2f} [{low:.2f}, {high:.2f}]; {found['one_minus_confidence']:.2f}")
    seen = [f"{row['faces_found'][name]:.2f}" for name in detectors]
    nps = "" if row["nps"] is None else f"{row['nps']:.3f}"
    return [row["method"], *rates, *seen, nps, f"{row['cpu_s']:.0f}" if "cpu_s" in row else ""]


def _gain(gain: Mapping[str, Any]) -> str:
    low, high = gain["fnmr_ci"]
    return f"{gain['fnmr']:+.2f} [{low:+.2f}, {high:+.2f}]"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
