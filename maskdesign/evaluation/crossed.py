"""A table of heads by textures, each head with each texture: means with intervals over both, and what scatters them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.evaluation.metrics import bootstrap_mean_interval


def variance_shares(table: NDArray[np.float64]) -> dict[str, float]:
    """Two-way analysis of variance without repeats: shares of the sum of squares, which add up to 1.

    Args:
        table: (textures, heads), at least 2 of each.

    Returns:
        "head" and "texture": differences that hold for all of the other; "both": what only a head with a texture tells,
        noise included. All 0 where nothing differs.
    """
    mean = table.mean()
    squares = {
        "head": len(table) * np.square(table.mean(axis=0) - mean).sum(),
        "texture": table.shape[1] * np.square(table.mean(axis=1) - mean).sum(),
    }
    total = np.square(table - mean).sum()
    squares["both"] = max(total - sum(squares.values()), 0.0)
    return {name: float(value / total) if total > 0 else 0.0 for name, value in squares.items()}


def crossed_row(table: NDArray[np.float64]) -> dict[str, Any]:
    """FNMR and mean margin of some textures on all heads, with 95 % bootstrap intervals over heads and over textures.

    Args:
        table: (textures, heads) margins, < 0 = not recognized.
    """
    missed = (table < 0).astype(np.float64)
    return {
        "textures": len(table),
        "fnmr": float(missed.mean()),
        "fnmr_over_heads": bootstrap_mean_interval(missed.mean(axis=0)),
        "fnmr_over_textures": bootstrap_mean_interval(missed.mean(axis=1)),
        "margin": float(table.mean()),
        "margin_sd_of_textures": float(table.mean(axis=1).std(ddof=1)) if len(table) > 1 else None,
    }


def crossed_figures(
    margins: NDArray[np.float64], recognizers: Sequence[str], kinds: Sequence[str], heads: Sequence[str]
) -> dict[str, Any]:
    """Everything about the table, for JSON.

    Args:
        margins: (textures, recognizers, wearers).
        kinds: of each texture.
        heads: kind of each wearer, as "rendered head".
    """
    rows, shares = [], []
    for place, name in enumerate(recognizers):
        table = margins[:, place]
        parts = {kind: table[np.array(kinds) == kind] for kind in kinds} | {"all": table}
        rows += [{"recognizer": name, "kind": kind, **crossed_row(part)} for kind, part in parts.items()]
        for group in dict.fromkeys(heads):
            own = table[:, np.array(heads) == group]
            shares.append({"recognizer": name, "heads": group, **variance_shares(own), "fnmr": float((own < 0).mean())})
    return {"rows": rows, "shares": shares, "textures": len(kinds), "heads": {h: list(heads).count(h) for h in heads}}


def crossed_lines(figures: Mapping[str, Any]) -> list[str]:
    """Two Markdown tables: means by kind of texture, and shares of the variance."""
    names = list(dict.fromkeys(row["recognizer"] for row in figures["rows"]))
    heads = " and ".join(f"{count} {kind}s" for kind, count in figures["heads"].items())
    lines = [f"FNMR at FMR 1e-3 [95 % over heads] [over textures]; mean margin. {heads}, each with each texture", ""]
    lines += [_line(["textures", "number", *names]), _line(["---"] * (len(names) + 2))]
    for kind in dict.fromkeys(row["kind"] for row in figures["rows"]):
        own = [row for row in figures["rows"] if row["kind"] == kind]
        lines.append(_line([kind, str(own[0]["textures"]), *map(_cell, own)]))
    lines += ["", "| share of the margins' variance | recognizer | FNMR | head | texture | head with texture |"]
    lines.append(_line(["---"] * 6))
    for row in figures["shares"]:
        parts = [f"{100 * row[part]:.0f} %" for part in ("head", "texture", "both")]
        lines.append(_line([f"{row['heads']}s", row["recognizer"], f"{row['fnmr']:.2f}", *parts]))
    return lines


def _cell(row: Mapping[str, Any]) -> str:
    intervals = (row["fnmr_over_heads"], row["fnmr_over_textures"])
    return " ".join([f"{row['fnmr']:.2f}", *(f"[{a:.2f}, {b:.2f}]" for a, b in intervals)]) + f"; {row['margin']:+.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
