"""Tables of the comparison of fusions, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def attention_lines(figures: Mapping[str, Any]) -> list[str]:
    """Everything that a person reads: rows, paired differences, what joining costs."""
    about = figures["people"]
    return [
        f"{about['design']} people designed for, {about['validation']} to choose on, {about['tested']} tested in "
        f"{about['pairs']} pairs; {figures['steps']} steps of {figures['views_per_step']} views",
        "",
        *_row_lines(figures),
        "",
        *_difference_lines(figures),
        *_joining_lines(figures),
    ]


def _row_lines(figures: Mapping[str, Any]) -> list[str]:
    lines = ["| met in the design | fusion | reached | steps to it | CPU s to it | weakest FNMR | weakest margin |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in figures["rows"]:
        cells = (
            " + ".join(row["ensemble"]),
            row["fusion"],
            f"{row['reached']} of {row['seeds']}",
            _spread(row["steps_to_interval"], ".0f"),
            _spread(row["cpu_s_to_interval"], ".1f"),
            _spread(row["weakest_fnmr"], ".3f"),
            _spread(row["weakest_margin"], "+.3f"),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _difference_lines(figures: Mapping[str, Any]) -> list[str]:
    titles = ["against averaging", "met", "steps to the interval", "steps to a common FNMR", "weakest FNMR", "margin"]
    lines = ["| " + " | ".join(titles) + " |", "|---|---|---|---|---|---|"]
    rows = [("attention", row) for row in figures["attention_minus_averaging"]]
    rows += [("on recognizers only", row) for row in figures["ablated_minus_averaging"]]
    # Comparisons of earlier versions lack it.
    rows += [("the default of a design", row) for row in figures.get("default_minus_averaging", ())]
    for title, row in rows:
        cells = (
            title,
            " + ".join(row["ensemble"]),
            f"{row['step_ratio']:.2f} x",
            f"{row['common_step_ratio']:.2f} x to {row['common_level']:.2f}",
            _spread(row["weakest_fnmr"], "+.3f"),
            _spread(row["weakest_margin"], "+.3f"),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _joining_lines(figures: Mapping[str, Any]) -> list[str]:
    if not figures["lost_by_joining"]:
        # One recognizer has no other to be joined with.
        return []
    lines = ["", "| FNMR on the tested people | fusion | designed on it alone | on all |", "|---|---|---|---|"]
    lines += [
        f"| {row['recognizer']} | {row['fusion']} | {row['alone']:.3f} | {row['together']:.3f} |"
        for row in figures["lost_by_joining"]
    ]
    return lines


def _spread(value: Mapping[str, float], style: str) -> str:
    return f"{format(value['mean'], style)} (sd {format(value['sd'], style.removeprefix('+'))})"
