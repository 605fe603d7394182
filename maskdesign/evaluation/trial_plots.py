"""Curves of trials: the FNMR of the weakest recognizer over the steps of a design (PrivacyMask's Figs 14 and 15)."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from maskdesign.evaluation.trials import Trial

COLORS = ("tab:gray", "tab:blue", "tab:orange", "tab:green")


def trial_plot(trials: Sequence[Trial], interval: tuple[float, float]) -> bytes:
    """PNG, a panel for each ensemble: a thin line for each seed, a thick one for their mean, the interval as a band."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(trial.ensemble for trial in trials))
    figure = Figure(figsize=(3.4 * len(groups), 3.4), layout="constrained")
    for axes, ensemble in zip(figure.subplots(1, len(groups), sharey=True, squeeze=False)[0], groups, strict=True):
        own = [trial for trial in trials if trial.ensemble == ensemble]
        for color, fusion in zip(COLORS, dict.fromkeys(trial.fusion for trial in own), strict=False):
            curves = [(t.steps, [min(rates) for rates in t.rates]) for t in own if t.fusion == fusion]
            for steps, curve in curves:
                axes.plot(steps, curve, color=color, linewidth=0.6, alpha=0.5)
            axes.plot(curves[0][0], np.mean([c for _, c in curves], axis=0), color=color, linewidth=2.2, label=fusion)
        axes.axhspan(*interval, color="tab:green", alpha=0.12)
        axes.set(title="\n+ ".join(ensemble), xlabel="step", ylim=(-0.03, 1.03))
        axes.title.set_fontsize(8)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("FNMR of the weakest recognizer,\nvalidation people")
    # The whole ensemble, drawn last, knows every fusion.
    figure.axes[-1].legend(fontsize=7, loc="lower right")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
