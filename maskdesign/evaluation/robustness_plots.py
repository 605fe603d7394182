"""Heat maps of the robustness grid: every pair of factors, error rates above the diagonal, similarity below."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.evaluation.robustness import FACTORS, level_means, pair_table
from maskdesign.evaluation.table import DESIGNED

UNITS = {"yaw": "deg", "pitch": "deg", "light": "", "distance": "mm", "opening": "mm", "placement": "mm off"}


def robustness_svg(
    levels: Mapping[str, Sequence[str]],
    rows: NDArray[np.int64],
    margins: Mapping[str, Sequence[float]],
) -> str:
    """One recognizer's picture: the design's rates and margins by pairs of factors, all textures' rates by each factor.

    Args:
        levels: of `level_names`.
        rows: of `conditions`.
        margins: texture -> (n,) margins of the views, > 0 = recognized; the design is among them.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context({"svg.fonttype": "none", "font.size": 8, "svg.hashsalt": "maskdesign"}):
        figure = Figure(figsize=(10.5, 9), layout="constrained")
        plots = figure.subplots(len(FACTORS), len(FACTORS))
        missed = (np.array(margins[DESIGNED]) < 0).astype(float)
        for down, across in np.ndindex(plots.shape):
            if down == across:
                _draw_levels(plots[down, across], levels, rows, margins, down)
                continue
            values, least, colors = (missed, 0, "Blues") if across > down else (margins[DESIGNED], -1, "RdBu_r")
            table = pair_table(rows, values, down, across)
            image = plots[down, across].imshow(table, colors, vmin=least, vmax=1, origin="lower", aspect="auto")
            if (down, across) == (0, len(FACTORS) - 1):
                figure.colorbar(image, ax=plots[: len(FACTORS) // 2, -1], label="FNMR at FMR 1e-3 (above)", aspect=30)
            if (down, across) == (len(FACTORS) - 1, 0):
                figure.colorbar(image, ax=plots[len(FACTORS) // 2 :, -1], label="margin (below)", aspect=30)
        _label(plots, levels)
        handles, names = plots[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().partition("<svg")[1] + buffer.getvalue().partition("<svg")[2]


def _draw_levels(
    axes: Any,
    levels: Mapping[str, Sequence[str]],
    rows: NDArray[np.int64],
    margins: Mapping[str, Sequence[float]],
    factor: int,
) -> None:
    for name, values in margins.items():
        rates = level_means(rows, (np.array(values) < 0).astype(float), factor)
        style = {"color": "#1d7a70", "linewidth": 2} if name == DESIGNED else {"linewidth": 1}
        axes.plot(range(len(rates)), rates, "o-", markersize=2.5, label=name, **style)
    axes.set(ylim=(-0.05, 1.05), xlim=(-0.5, len(levels[FACTORS[factor]]) - 0.5))
    axes.spines[["top", "right"]].set_visible(False)


def _label(plots: Any, levels: Mapping[str, Sequence[str]]) -> None:
    for (down, across), axes in np.ndenumerate(plots):
        row, column = FACTORS[down], FACTORS[across]
        axes.set_xticks(range(len(levels[column])), levels[column] if down == len(FACTORS) - 1 else [], rotation=45)
        if down != across:
            first = across == (1 if down == 0 else 0)
            axes.set_yticks(range(len(levels[row])), levels[row] if first else [])
        else:
            axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
        if across == 0:
            axes.set_ylabel(f"{row}\n{UNITS[row]}".strip())
        if down == len(FACTORS) - 1:
            axes.set_xlabel(f"{column} {UNITS[column]}".strip())
