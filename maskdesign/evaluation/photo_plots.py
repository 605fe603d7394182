"""Pictures of a comparison: protection against its budget (the paper's Fig 12), features (Fig 15), edges (Fig 13)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

FAMILIES = {
    "this project": "all, ",
    "random noise": "random noise, ",
    "Fawkes-like": "Fawkes-like, ",
    "feature twist": "feature twist, pressure",
    "pixel confusion": "pixel confusion, p =",
}


def budget_plot(conditions: Mapping[str, Mapping[str, Any]]) -> bytes:
    """PNG: DSSIM of the whole photo against FNMR at FMR 1e-3, a panel for each recognizer."""
    recognizers = list(next(iter(conditions.values()))["recognizers"])
    figure, axes = plt.subplots(1, len(recognizers), figsize=(4 * len(recognizers), 3.4), sharey=True, squeeze=False)
    for axis, recognizer in zip(axes[0], recognizers, strict=True):
        for label, start in FAMILIES.items():
            # Conditions with another comma are what happened to a photo on its way.
            rows = [row for name, row in conditions.items() if name.startswith(start) and name.count(",") < 2]
            points = sorted((row["dssim"], row["recognizers"][recognizer]["fnmr"]) for row in rows)
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", label=label)
        axis.set(title=recognizer, xlabel="DSSIM of the photo", ylim=(-0.03, 1.03))
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("FNMR at FMR 1e-3")
    axes[0, -1].legend(fontsize=8)
    return _png(figure)


def feature_plot(planes: Mapping[str, Sequence[Sequence[Sequence[float]]]]) -> bytes:
    """PNG: where each photo's features lie before and after, a panel for each recognizer.

    Args:
        planes: recognizer -> [before, after], n places (x, y) each, of the same photos.
    """
    figure, axes = plt.subplots(1, len(planes), figsize=(3.6 * len(planes), 3.4), squeeze=False)
    for axis, (recognizer, (before, after)) in zip(axes[0], planes.items(), strict=True):
        axis.plot(*np.stack([before, after]).transpose(2, 0, 1), color="0.8", linewidth=0.8, zorder=0)
        for places, label in ((before, "original"), (after, "protected")):
            axis.scatter(*np.array(places).T, s=18, label=label)
        axis.set(title=recognizer, xlabel="first component", aspect="equal")
    axes[0, 0].set_ylabel("second component")
    axes[0, -1].legend(fontsize=8)
    return _png(figure)


def edges(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) Canny edges, as the paper shows where a change becomes visible.

    Args:
        pixels: (H, W, 3).
    """
    return np.asarray(cv2.Canny(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), 60, 140), np.uint8)


def side_by_side(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures of one height beside each other, (H, sum of W, 3); gray ones become RGB."""
    return np.concatenate([p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures], axis=1)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.tight_layout()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()
