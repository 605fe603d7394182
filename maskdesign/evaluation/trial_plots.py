"""Curves of trials: the FNMR of the weakest recognizer over the steps of a design (PrivacyMask's Figs 14 and 15)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from maskdesign.evaluation.trials import Trial

COLORS = ("#7a7a7a", "#0f6cbd", "#d1600b", "#2e8b57")
BAND = "#2e8b57"
COLUMNS = 3


def trial_plot(trials: Sequence[Trial], interval: tuple[float, float]) -> bytes:
    """PNG, a panel for each ensemble: a thin line for each seed, a thick one for their mean, the interval as a band."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(trial.ensemble for trial in trials))
    across = min(COLUMNS, len(groups))
    # One place more than there are panels: the legend's.
    down = -(-(len(groups) + 1) // across)
    figure = Figure(figsize=(3.4 * across, 2.9 * down), layout="constrained", dpi=130)
    places = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes, ensemble in zip(places.flat, groups, strict=False):
        _panel(axes, [trial for trial in trials if trial.ensemble == ensemble], interval)
    for axes in places.flat[len(groups) :]:
        axes.axis("off")
    lines = {line.get_label(): line for axes in places.flat for line in axes.get_legend_handles_labels()[0]}
    places.flat[len(groups)].legend(lines.values(), lines.keys(), loc="center left", fontsize=9, frameon=False)
    figure.supylabel("FNMR of the weakest recognizer, validation people", fontsize=9)
    figure.supxlabel("step of the design", fontsize=9)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _panel(axes: Any, own: Sequence[Trial], interval: tuple[float, float]) -> None:
    axes.axhspan(*interval, color=BAND, alpha=0.15, linewidth=0, label="interval aimed at")
    for color, fusion in zip(COLORS, dict.fromkeys(trial.fusion for trial in own), strict=False):
        curves = [(t.steps, [min(rates) for rates in t.rates]) for t in own if t.fusion == fusion]
        for steps, curve in curves if len(curves) > 1 else ():
            axes.plot(steps, curve, color=color, linewidth=0.6, alpha=0.5)
        mean = np.mean([curve for _, curve in curves], axis=0)
        axes.plot(curves[0][0], mean, color=color, linewidth=2, label=fusion)
    counts = sorted({sum(t.fusion == fusion for t in own) for fusion in {t.fusion for t in own}})
    seeds = " or ".join(map(str, counts)) + (" seed" if counts == [1] else " seeds")
    axes.set_title(f"{' + '.join(own[0].ensemble)}\n{seeds}", fontsize=8)
    axes.set(ylim=(0, 1.03))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.tick_params(labelsize=8, labelbottom=True)
    axes.spines[["top", "right"]].set_visible(False)
