"""What the renderer is given and cannot use is named with its value; what is odd but sound is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from render_scenes import camera, masked_scene, view

from maskdesign.errors import InputError, MeshError
from maskdesign.render.renderer import RenderSettings, render_linear, render_views
from maskdesign.render.scene import Scene
from maskdesign.render.zbuffer import rasterize

SMALL = camera(side_px=32)
TEXTURE = torch.rand(3, 4, 4)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return masked_scene(16)


@pytest.mark.parametrize(
    ("texture", "message"),
    [
        (torch.full((3, 4, 4), float("nan")), "the texture holds values that are not finite"),
        (torch.rand(4, 4, 3), r"the texture must be \(3, h, w\), not \(4, 4, 3\)"),
        (torch.rand(3, 0, 4), r"not \(3, 0, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int32), "must be float32 or float64, not torch.int32"),
    ],
)
def test_textures(scene, texture, message):
    with pytest.raises(InputError, match=message):
        render_views([scene], [view(SMALL)], texture)


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([], "no views to render"),
        ([view(SMALL, scene_index=4)], r"views show the scenes \[4\], but there are 1"),
        ([view(SMALL), view(camera())], r"image sizes \[\(32, 32\), \(96, 96\)\]"),
        (
            [view(camera(side_px=20_000))],
            "20000 x 20000 pixels need 1600000000 samples, more than the limit of 268435456",
        ),
        ([view(SMALL, cloth_mm=(1.0, 2.0))], r"view.cloth_mm = \(1.0, 2.0\) must be 32 finite millimeters"),
    ],
)
def test_views(scene, views, message):
    with pytest.raises(InputError, match=message):
        render_views([scene], views, TEXTURE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width_px": 0}, "camera width_px x height_px = 0 x 32 must be at least 1 x 1"),
        ({"T": np.array([0.0, np.nan, 1.0])}, r"camera T = \[0.0, nan, 1.0\] must be \(3,\) finite numbers"),
        ({"K": np.eye(4)}, r"camera K = .* must be \(3, 3\) finite numbers"),
        ({"R": 2 * np.eye(3)}, "camera R = .* must be a rotation"),
        ({"R": np.diag([1.0, 1.0, -1.0])}, "must be a rotation"),
    ],
)
def test_cameras(change, message):
    with pytest.raises(InputError, match=message):
        replace(SMALL, **change)


def test_a_camera_without_distance_and_no_camera():
    with pytest.raises(InputError, match=r"camera distance_mm = -5 and focal_px"):
        camera(distance_mm=-5)
    with pytest.raises(InputError, match="no cameras to rasterize for"):
        rasterize(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32), [])


def test_a_scene_with_vertices_that_are_not_finite(scene):
    broken = scene.vertices_mm.copy()
    broken[7, 1] = np.inf
    with pytest.raises(MeshError, match=r"scene\.vertices_mm holds 1 not finite numbers"):
        replace(scene, vertices_mm=broken)


def test_what_is_behind_the_camera_or_empty_shows_the_background(scene):
    away = replace(SMALL, T=SMALL.T - [0, 0, 5000.0])
    empty = Scene(
        np.zeros((0, 3), np.float32),
        np.zeros((0, 3), np.int32),
        torch.zeros(0, 3, 3),
        torch.zeros(0, 3, 2),
        torch.zeros(0, dtype=torch.uint8),
        torch.zeros(3, 1, 1),
    )
    for shown, cam in ((scene, away), (empty, SMALL)):
        image = render_linear([shown], [view(cam)], TEXTURE, RenderSettings(1))[0]
        torch.testing.assert_close(image[:, 0, 0], torch.tensor([0.2, 0.3, 0.4]))
        assert (image == image[:, :1, :1]).all()
