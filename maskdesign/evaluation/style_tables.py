"""Protection against wearability: a table and a curve of the styles."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maskdesign.evaluation.likeness import FLAT_PICTURES, WORN_PICTURES


def style_lines(figures: Mapping[str, Any]) -> list[str]:
    """FNMR, faces on the flat and on the worn sheet alone, and which share of the free gain each style keeps."""
    names = list(figures["rows"][0]["recognizers"])
    titles = [name if name in figures["met"] else f"{name} (left out)" for name in names]
    detectors = list(figures["rows"][0]["faces_on_sheet"])
    counted = f"faces on the sheet: flat, of {FLAT_PICTURES}; worn, of {WORN_PICTURES}"
    header = ["style", *titles, *(f"{name}, {counted}" for name in detectors)]
    about = f"{figures['steps']} steps, seed {figures['seed']}"
    lines = [f"FNMR at FMR 1e-3 [95 % over people]; share of the free style's gain kept; {about}", ""]
    lines += [_line(header), _line(["---"] * len(header))]
    shares = {(row["style"], row["recognizer"]): row["share"] for row in figures["kept"]}
    for row in figures["rows"]:
        rates = [_rate(row["recognizers"][name], shares.get((row["method"], name))) for name in names]
        counts = [f"{row['faces_on_sheet'][name]}; {row['faces_on_worn_sheet'][name]}" for name in detectors]
        lines.append(_line([row["method"], *rates, *counts]))
    lines += ["", *_left_out_lines(figures.get("left_out", []))]
    return lines


def _left_out_lines(shares: Sequence[Mapping[str, Any]]) -> list[str]:
    if not shares:
        return []
    rows = [
        _line(
            [
                row["style"],
                f"{100 * row['share']:.0f} % [{100 * row['share_ci'][0]:.0f}, {100 * row['share_ci'][1]:.0f}]",
            ]
        )
        for row in shares
    ]
    return [_line(["style", "gain kept on recognizers left out [95 % over people]"]), _line(["---"] * 2), *rows]


def _rate(found: Mapping[str, Any], share: float | None) -> str:
    low, high = found["fnmr_ci"]
    kept = "" if share is None else f"; {100 * share:.0f} %"
    return f"{found['fnmr']:.2f} [{low:.2f}, {high:.2f}]{kept}"


def _most_faces(row: Mapping[str, Any]) -> int:
    flat, worn = row["faces_on_sheet"], row["faces_on_worn_sheet"]
    return max(flat[name] + worn[name] for name in flat)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def style_plot(figures: Mapping[str, Any]) -> bytes:
    """PNG: in how many pictures of a sheet a detector finds a face, against the gain on recognizers left out.

    Where no recognizer is left out, the gain on those that the designs met.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = {row["recognizer"] for row in figures["kept"]}
    judges = names - set(figures["met"]) or names
    faces = {row["method"]: _most_faces(row) for row in figures["rows"]}
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.subplots()
    for style in figures["styles"]:
        gains = [row["gain"] for row in figures["kept"] if row["style"] == style and row["recognizer"] in judges]
        place = faces[style], float(np.mean(gains))
        axes.plot(*place, "o")
        axes.annotate(style, place, textcoords="offset points", xytext=(6, 4), fontsize=8)
    axes.axhline(0, color="0.6", linewidth=0.8, linestyle="--")
    kind = "left out" if judges != names else "met"
    shown = FLAT_PICTURES + WORN_PICTURES
    axes.set(xlabel=f"pictures of the sheet, flat and worn, with a face, of {shown}", xlim=(-0.5, shown + 0.5))
    axes.set_ylabel(f"FNMR over the strongest control,\nrecognizers that were {kind}")
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
