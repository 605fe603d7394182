"""Pictures for people: the head and the mask from five sides, and the course of the design."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.evaluation.grid import evaluation_lights
from maskdesign.optimize.texture import texture_pixels
from maskdesign.render.camera import orbit_camera
from maskdesign.render.renderer import RenderSettings, render_views
from maskdesign.render.scene import Scene
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.view import View

PREVIEW_POSES_DEG = {
    "right 45": (45.0, 0.0),
    "up 20": (0.0, 20.0),
    "front": (0.0, 0.0),
    "down 20": (0.0, -20.0),
    "left 45": (-45.0, 0.0),
}
"""Name -> (yaw, pitch)."""

PREVIEW_DISTANCE_MM = 900.0
PREVIEW_FIELD_MM = 300.0
"""Side of the picture at the head's distance: a whole head from every side."""
PREVIEW_CENTER_MM = (0.0, 8.0, -75.0)
"""Where the cameras look, so that the crown of the head stays in the picture from above too."""


def preview_views(side_px: int) -> list[View]:
    """Noise-free views from five sides under the ceiling light, one for each pose of `PREVIEW_POSES_DEG`."""
    focal_px = PREVIEW_DISTANCE_MM * side_px / PREVIEW_FIELD_MM
    response = CameraResponse(blur_sigma_px=0.0, noise_std=0.0, gain=1.0, white_balance=(1.0, 1.0, 1.0), gamma=1.0)
    light = evaluation_lights()["window"]
    return [
        View(
            orbit_camera(yaw, pitch, 0.0, PREVIEW_DISTANCE_MM, focal_px, side_px, side_px, PREVIEW_CENTER_MM),
            light,
            response,
            scene_index=0,
            background_rgb=(0.82, 0.83, 0.85),
            noise_seed=0,
        )
        for yaw, pitch in PREVIEW_POSES_DEG.values()
    ]


@torch.no_grad()
def preview_strip(scene: Scene, texture: Tensor, side_px: int = 320) -> NDArray[np.uint8]:
    """A scene from five sides, side by side.

    Args:
        texture: (3, h, w) sRGB; not used by a scene without a mask.

    Returns:
        (side_px, 5 side_px, 3) uint8.
    """
    images = render_views((scene,), preview_views(side_px), texture, RenderSettings())
    return np.concatenate([texture_pixels(image) for image in images], axis=1)


def loss_curve_svg(journal: Sequence[Mapping[str, Any]]) -> str:
    """Loss and margins over the steps as SVG text, for a page.

    Args:
        journal: lines of `metrics.jsonl`, at least one.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context(
        {"svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif", "svg.hashsalt": "maskdesign"}
    ):
        figure = Figure(figsize=(9, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        _plot_loss(left, journal)
        _plot_margins(right, journal)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().partition("<svg")[1] + buffer.getvalue().partition("<svg")[2]


def _plot_loss(axes: Any, journal: Sequence[Mapping[str, Any]]) -> None:
    axes.plot(
        [line["step"] for line in journal],
        [line["loss"] for line in journal],
        color="#9fb3c8",
        linewidth=1,
        label="random views",
    )
    validated = [line for line in journal if "validation_loss" in line]
    axes.plot(
        [line["step"] for line in validated],
        [line["validation_loss"] for line in validated],
        "o-",
        color="#14213d",
        markersize=3,
        label="fixed views",
    )
    axes.set(xlabel="step", ylabel="loss")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _plot_margins(axes: Any, journal: Sequence[Mapping[str, Any]]) -> None:
    for name in sorted({key for line in journal for key in line if key.startswith("margin_")}):
        lines = [line for line in journal if name in line]
        axes.plot(
            [line["step"] for line in lines],
            [line[name] for line in lines],
            linewidth=1,
            label=name.removeprefix("margin_"),
        )
    axes.axhline(0, color="#999999", linewidth=0.8, linestyle="--")
    axes.set(xlabel="step", ylabel="mean margin (> 0: recognized)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
