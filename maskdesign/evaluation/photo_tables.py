"""The counterparts of the mask template paper's Tables 2 and 3 and its Figure 12, from measured conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Conditions = Mapping[str, Mapping[str, Any]]
PAPER_TABLE_2 = {
    "Baidu": (0.999, 0.918, 0.849),
    "Azure": (0.997, 0.989, 0.981),
    "Face++": (0.998, 0.996, 0.994),
    "ArcFace": (0.986, 0.936, 0.891),
    "dlib": (0.965, 0.999, 1.034),
}
"""T_o, F_c and r_s of the paper's Table 2."""


def table_2(conditions: Conditions) -> list[str]:
    """Each recognizer alone: T_o, F_c, T_r, r_s and its bounded version, as Markdown. T_r = T_o, restore is exact."""
    lines = ["| protected against | T_o | F_c | T_r | r_s | bounded | SSIM photo / face / template |", "|" + "---|" * 7]
    for name, row in conditions.items():
        for recognizer, rates in row["recognizers"].items():
            if name.startswith(f"only {recognizer}, "):
                figures = (rates["T_o"], rates["F_c"], rates["T_o"], rates["r_s"], rates["r_s_bounded"])
                lines.append(
                    f"| {name.removeprefix('only ')} | "
                    + " | ".join(f"{x:.3f}" for x in figures)
                    + f" | {likeness(row)} |"
                )
    return lines


def table_3(conditions: Conditions) -> list[str]:
    """One recognizer to all, jointly and stacked: FNMR with interval on each recognizer, as Markdown."""
    kinds = ("only ", "without ", "all, ", "stacked, ")
    rungs = (", balanced", ", strong")
    return fnmr_table(conditions, [name for rung in rungs for name in conditions if _is(name, kinds, rung)])


def _is(name: str, kinds: tuple[str, ...], rung: str) -> bool:
    """Whether a condition is of a kind and a rung, and nothing happened to its photo on the way."""
    return name.startswith(kinds) and name.endswith(rung) and name.count(",") == 1


def controls_table(conditions: Conditions, names: Sequence[str] | None = None) -> list[str]:
    """Protections beside their controls and what a photo meets on its way, as Markdown."""
    wanted = [name for name in conditions if name.startswith(("unchanged", "all, ", "random noise", "inverted"))]
    return fnmr_table(conditions, names or wanted)


def baselines_table(conditions: Conditions) -> list[str]:
    """The paper's other methods: at their own strengths, and at the DSSIM of the first rungs, as Markdown."""
    kinds, rungs = ("pixel", "feature", "Fawkes", "AdvHat"), ("all, faint", "all, balanced", "all, strong")
    return fnmr_table(conditions, [name for name in conditions if name in rungs or name.startswith(kinds)])


def fnmr_table(conditions: Conditions, names: Sequence[str]) -> list[str]:
    """FNMR at FMR 1e-3 with its 95 % interval over people, as Markdown."""
    recognizers = list(next(iter(conditions.values()))["recognizers"])
    lines = ["| condition | SSIM photo / face / template | " + " | ".join(recognizers) + " |"]
    lines.append("|" + "---|" * (2 + len(recognizers)))
    for name in names:
        row = conditions[name]
        cells = " | ".join(_rate(row["recognizers"][recognizer]) for recognizer in recognizers)
        lines.append(f"| {name} | {likeness(row)} | {cells} |")
    return lines


def likeness(row: Mapping[str, Any]) -> str:
    """SSIM of photo, face and template; a method without a template has none."""
    whole, face, template = (row[f"ssim_{part}"] for part in ("photo", "face", "template"))
    return f"{whole:.3f} / {face:.3f} / " + ("-" if abs(whole - template) < 1e-9 else f"{template:.3f}")


def _rate(rates: Mapping[str, Any]) -> str:
    low, high = rates["interval"]
    return f"{rates['fnmr']:.2f} [{low:.2f}, {high:.2f}]"
