"""The renderer against dlib's net and against Embree, in one process on one thread, in process time."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from maskdesign.recognition.dlib_net import load_dlib_network
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.color import srgb_decode
from maskdesign.render.distribution import ViewRanges, sample_views
from maskdesign.render.embree import EmbreeScene
from maskdesign.render.renderer import RenderSettings, render_linear, render_views
from maskdesign.render.scene import Scene
from maskdesign.render.zbuffer import rasterize
from tests.render_scenes import (
    adjoint_error,
    camera,
    embree_mismatch,
    furnace_error,
    masked_scene,
    supersampling_error_ratio,
    view,
)

ROUNDS = 15
BATCH = 8
EGG_SIDE = 104
"""Makes a head of 21 218 triangles; with the mask's 8 680 there are 29 898."""


def figures() -> dict[str, dict]:
    torch.set_num_threads(1)
    scene = masked_scene(EGG_SIDE)
    return {**_shares_of_dlib(scene), **_visibility(scene), **_quality(scene)}


def _figure(value: float, goal: float | None, better: str, unit: str) -> dict:
    return {"value": value, "goal": goal, "better": better, "unit": unit, "issue": "spine"}


def _shares_of_dlib(scene: Scene) -> dict[str, dict]:
    net = load_dlib_network()
    crops = torch.rand(BATCH, 3, 150, 150, requires_grad=True)
    texture = torch.rand(3, 248, 280, requires_grad=True)
    small, full = (sample_views(_whole_heads(side_px), 1, 0, BATCH, 1) for side_px in (112, 160))
    floor, plain, whole = _least_seconds(
        lambda: net(crops).sum().backward(),
        lambda: render_linear([scene], small, srgb_decode(texture), RenderSettings(1)).sum().backward(),
        lambda: render_views([scene], full, texture, RenderSettings(2)).sum().backward(),
    )
    return {
        "render_112px_over_dlib": _figure(plain / floor, 0.2, "lower", "ratio"),
        "render_160px_supersampled_photographed_over_dlib": _figure(whole / floor, None, "lower", "ratio"),
    }


def _whole_heads(side_px: int) -> ViewRanges:
    # The same share of the picture at every size.
    return ViewRanges(image_px=side_px, px_per_mm=(0.55 * side_px / 160, 0.85 * side_px / 160))


def _visibility(scene: Scene) -> dict[str, dict]:
    embree = EmbreeScene(scene.vertices_mm, scene.triangles)
    found = {}
    for side_px, goal in ((112, 3.0), (512, 5.0)):
        cameras = [camera(yaw, pitch, side_px=side_px) for yaw, pitch in ((-40, 5), (0, -15), (30, 10))]
        ours, theirs = _least_seconds(_rasterizing(scene, cameras), lambda c=cameras: embree.rasterize(c))
        found[f"visibility_speedup_over_open3d_{side_px}px"] = _figure(theirs / ours, goal, "higher", "x")
    return found


def _rasterizing(scene: Scene, cameras: list[PinholeCamera]) -> Callable[[], object]:
    return lambda: rasterize(scene.vertices_mm, scene.triangles, cameras)


def _quality(scene: Scene) -> dict[str, dict]:
    views = [view(camera(0)), view(camera(40, 12, 5))]
    return {
        "visibility_pixels_unlike_embree": _figure(embree_mismatch(scenes=100), 1e-3, "lower", "share"),
        "render_adjoint_error": _figure(adjoint_error(scene, views, RenderSettings(2)), 1e-5, "lower", "relative"),
        "render_supersampling_error_ratio": _figure(supersampling_error_ratio(scene), 0.5, "lower", "ratio"),
        "render_white_furnace_error": _figure(furnace_error(), 1e-4, "lower", "linear"),
    }


def _least_seconds(*jobs: Callable[[], object]) -> list[float]:
    """Least process time of each job; they take turns, so that a drift of the machine's speed meets all of them."""
    least = [float("inf")] * len(jobs)
    for job in jobs:
        job()
    for _ in range(ROUNDS):
        for number, job in enumerate(jobs):
            start = time.process_time()
            job()
            least[number] = min(least[number], time.process_time() - start)
    return least
