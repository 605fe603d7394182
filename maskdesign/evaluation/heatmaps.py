"""Heat maps of the evaluation grid: how far each texture is from being recognized, by yaw, pitch and light."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

from maskdesign.evaluation.grid import EvaluationSettings, evaluation_lights


def grid_shape(settings: EvaluationSettings) -> tuple[int, int, int]:
    """(lights, pitches, yaws): the order in which `evaluation_views` runs through the grid."""
    return len(evaluation_lights()), len(settings.pitch_deg), len(settings.yaw_deg)


def heat_map_svg(settings: EvaluationSettings, margins: Mapping[str, Sequence[float]], title: str) -> str:
    """Margins as one map a texture and light; blue is dodged, red is recognized, white lies on the threshold.

    Args:
        settings: the grid.
        margins: texture -> (views,) margins in the order of `evaluation_views`.
        title: of the figure.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    lights = list(evaluation_lights())
    with matplotlib.style.context({"svg.fonttype": "none", "font.size": 8, "svg.hashsalt": "maskdesign"}):
        figure = Figure(figsize=(3 * len(lights), 0.5 + 1.15 * len(margins)), layout="constrained")
        plots = figure.subplots(len(margins), len(lights), squeeze=False, sharex=True, sharey=True)
        for row, (texture, values) in zip(plots, margins.items(), strict=True):
            maps = np.reshape(values, grid_shape(settings))
            for axes, light, picture in zip(row, lights, maps, strict=True):
                shown = axes.imshow(picture, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower", aspect="auto")
                axes.set_title(f"{texture}, {light}", fontsize=8)
                axes.set_xticks(range(len(settings.yaw_deg)), [f"{yaw:g}" for yaw in settings.yaw_deg])
                axes.set_yticks(range(len(settings.pitch_deg)), [f"{pitch:g}" for pitch in settings.pitch_deg])
        figure.supxlabel("yaw, degrees")
        figure.supylabel("pitch, degrees")
        figure.colorbar(shown, ax=plots, label="margin (> 0: recognized)")
        figure.suptitle(title)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().partition("<svg")[1] + buffer.getvalue().partition("<svg")[2]
