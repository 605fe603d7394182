"""Whole pictures: golden ones, smooth edges, scenes, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from render_scenes import (
    PATTERN,
    WINDOW,
    camera,
    checks,
    curved_mask,
    egg_face,
    masked_scene,
    sheet_scene,
    square_corners,
    supersampling_error_ratio,
    view,
)

from maskdesign.errors import ConfigError, InputError, MeshError
from maskdesign.render.renderer import RenderSettings, render_linear, render_views
from maskdesign.render.scene import FACE, MASK, Scene, build_scene, creased_normals
from maskdesign.render.shading import hides_inner_sides
from maskdesign.render.zbuffer import rasterize_view

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def scene() -> Scene:
    return masked_scene()


def assert_golden(name: str, image: torch.Tensor) -> None:
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    expected = np.asarray(Image.open(HERE / "golden" / f"{name}.png")).astype(int)
    difference = np.abs(pixels.astype(int) - expected)
    # A silhouette may fall on the other side of a sample on another machine; shading may round differently.
    if difference.mean() > 0.2 or np.mean(difference.max(axis=2) > 3) > 2e-3:
        debug = HERE / "debug"
        debug.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(debug / f"{name}.png")
        Image.fromarray(np.minimum(16 * difference, 255).astype(np.uint8)).save(debug / f"{name}_difference_x16.png")
        pytest.fail(f"differs from golden/{name}.png; look at debug/{name}.png and copy it over if it is right")


@pytest.mark.parametrize(("name", "yaw_deg", "pitch_deg"), [("front", 0, 0), ("left", -45, 0), ("below", 20, 25)])
def test_golden_pictures(scene, name, yaw_deg, pitch_deg):
    image = render_views([scene], [view(camera(yaw_deg, pitch_deg, side_px=128))], checks())
    assert_golden(f"render_{name}", image[0])


def test_the_golden_test_can_fail(scene):
    image = render_views([scene], [view(camera(2, side_px=128))], checks())
    with pytest.raises(pytest.fail.Exception, match=r"differs from golden/render_front\.png"):
        assert_golden("render_front", image[0])


def test_supersampling_halves_the_error(scene):
    assert supersampling_error_ratio(scene) <= 0.5


def test_face_and_mask_hide_each_other(scene):
    texture = torch.stack([torch.ones(8, 8), torch.zeros(8, 8), torch.zeros(8, 8)])
    front, back = render_linear([scene], [view(camera(0)), view(camera(180))], texture)
    red = (front[0] > 0.1) & (front[1] == 0)
    assert red[40:80, 30:66].float().mean() > 0.9  # print in front of the mouth
    assert not red[5:30].any()  # the forehead stays free
    assert not ((back[0] > 0.1) & (back[1] == 0)).any()  # from behind only skin and the plain back


def test_a_closed_head_is_recognized_and_an_open_one_keeps_its_inner_side(scene):
    assert scene.face_is_closed
    skin = np.nonzero(scene.material.numpy() == FACE)[0]
    kept = np.delete(np.arange(len(scene.triangles)), skin[:200])
    opened = Scene(
        scene.vertices_mm,
        scene.triangles[kept],
        scene.corner_normals[kept],
        scene.corner_uv[kept],
        scene.material[kept],
        scene.face_texture,
    )
    assert not opened.face_is_closed
    # The hole lies in front: through it one sees the inner side, not the background.
    background = (1.0, 0.0, 1.0)
    image = render_linear([opened], [view(camera(0), background_rgb=background)], checks())[0]
    whole = render_linear([scene], [view(camera(0), background_rgb=background)], checks())[0]
    empty = [(picture[1] == 0).float().mean().item() for picture in (image, whole)]
    assert empty[0] == pytest.approx(empty[1], abs=2e-3)


@pytest.mark.parametrize("pose", [(0, 0, 0), (70, 20, 0), (180, 0, 0)])
def test_leaving_out_inner_sides_changes_no_sample(scene, pose):
    cam = camera(*pose)
    assert hides_inner_sides(scene, cam)
    every, some = rasterize_view(scene.clusters, cam), rasterize_view(scene.clusters, cam, skip_inner=True)
    for expected, found in zip(every, some, strict=True):
        assert np.array_equal(expected, found)


def test_a_camera_inside_the_head_sees_its_inner_side(scene):
    inside = view(camera(distance_mm=10))
    assert not hides_inner_sides(scene, inside.camera)
    image = render_linear([scene], [replace(inside, background_rgb=(9.0, 9.0, 9.0))], checks())
    assert image.max() < 1.5


def test_a_bare_face_does_not_use_the_texture():
    bare = build_scene(egg_face(), None, PATTERN)
    views = [view(camera(10))]
    texture = checks().requires_grad_()
    image = render_views([bare], views, texture)
    assert torch.equal(image, render_views([bare], views, torch.zeros(3, 2, 2)))
    image.sum().backward()
    assert texture.grad is not None and (texture.grad == 0).all()


def test_each_view_shows_its_own_scene(scene):
    bare = build_scene(egg_face(), None, PATTERN)
    views = [view(camera(5), scene_index=i) for i in (1, 0, 1)]
    images = render_views([scene, bare], views, checks())
    assert torch.equal(images[0], images[2]) and not torch.equal(images[0], images[1])
    assert torch.equal(images[0], render_views([bare], [replace(views[0], scene_index=0)], checks())[0])


def test_uv_origin_is_the_upper_left_of_the_sheet():
    texture = torch.zeros(3, 2, 2)
    texture[0, 0, 0] = 1.0  # red upper left
    texture[1, 0, 1] = 1.0  # green upper right
    texture[2, 1, 0] = 1.0  # blue lower left
    image = render_linear([sheet_scene(square_corners(100))], [view(camera(side_px=64))], texture)[0]
    brightest = [np.unravel_index(int(channel.argmax()), channel.shape) for channel in image - image.mean((1, 2), True)]
    (red_row, red_column), (green_row, green_column), (blue_row, blue_column) = brightest
    assert red_row < 32 and red_column < 32
    assert green_row < 32 <= green_column
    assert blue_row >= 32 > blue_column


def test_a_texel_is_met_at_its_center():
    # A ramp over texel centers is reproduced exactly by bilinear interpolation.
    ramp = ((torch.arange(16) + 0.5) / 16).expand(3, 16, 16).contiguous()
    cam = camera(side_px=65)
    image = render_linear([sheet_scene(square_corners(100))], [view(cam, WINDOW)], ramp, RenderSettings(1))[0]
    flat = render_linear([sheet_scene(square_corners(100))], [view(cam, WINDOW)], 0 * ramp + 1, RenderSettings(1))[0]
    depth = 700 - 40
    x_mm = (np.arange(65) + 0.5 - 32.5) / cam.K[0, 0] * depth
    inside = np.abs(x_mm) < 90
    np.testing.assert_allclose((image / flat)[0, 32, inside], (x_mm[inside] + 100) / 200, atol=1e-5)


def test_scene_holds_both_parts_in_sheet_coordinates():
    worn, face = curved_mask(), egg_face()
    scene = build_scene(face, worn, PATTERN)
    is_mask = scene.material.numpy() == MASK
    assert np.count_nonzero(is_mask) == len(worn.mesh.triangles)
    assert np.count_nonzero(scene.material.numpy() == FACE) == len(face.mesh.triangles)
    sheet_mm = scene.corner_uv.numpy()[is_mask] * [PATTERN.width_mm, PATTERN.height_mm]
    known = {tuple(v): tuple(s) for v, s in zip(worn.mesh.vertices.astype(np.float32), worn.sheet_mm, strict=True)}
    corners = scene.vertices_mm[scene.triangles[is_mask]].reshape(-1, 3)
    expected = np.array([known[tuple(corner)] for corner in corners])
    np.testing.assert_allclose(sheet_mm.reshape(-1, 2), expected, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(scene.corner_normals.numpy(), axis=2), 1, atol=1e-5)


def test_normals_are_smooth_inside_a_group_and_break_between_groups():
    # A roof: two strips that meet at a ridge, each of two triangles.
    points = np.array([[0, 0, 0], [1, 0, 1], [2, 0, 0], [0, 1, 0], [1, 1, 1], [2, 1, 0]], float)
    triangles = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]], np.int32)
    broken = creased_normals(points, triangles, np.array([0, 0, 1, 1]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(broken[:2].reshape(-1, 3), np.tile([-half, 0, half], (6, 1)), atol=1e-12)
    np.testing.assert_allclose(broken[2:].reshape(-1, 3), np.tile([half, 0, half], (6, 1)), atol=1e-12)
    smooth = creased_normals(points, triangles, np.array([0, 0, 0, 0]))
    assert abs(smooth[0, 1, 0]) < half / 2  # on the ridge both sides count


@pytest.mark.parametrize(
    ("texture", "message"),
    [
        (torch.zeros(4, 4), r"the texture must be \(3, h, w\), not \(4, 4\)"),
        (torch.zeros(3, 0, 4), r"the texture must be \(3, h, w\), not \(3, 0, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.float16), "the texture must be float32 or float64, not torch.float16"),
        (torch.full((3, 4, 4), float("nan")), "the texture holds values that are not finite"),
    ],
)
def test_bad_textures_are_refused(scene, texture, message):
    with pytest.raises(InputError, match=message):
        render_views([scene], [view(camera())], texture)


def test_bad_views_are_refused(scene):
    with pytest.raises(InputError, match="no views to render"):
        render_views([scene], [], checks())
    with pytest.raises(InputError, match=r"image sizes \[\(64, 64\), \(96, 96\)\]"):
        render_views([scene], [view(camera(side_px=64)), view(camera(side_px=96))], checks())
    with pytest.raises(InputError, match=r"views show the scenes \[3\], but there are 1"):
        render_views([scene], [view(camera(), scene_index=3)], checks())
    with pytest.raises(InputError, match=r"1 views of 20000 x 20000 pixels need 1600000000 samples"):
        render_views([scene], [view(camera(side_px=20000))], checks())


@pytest.mark.parametrize("supersample", [0, 9])
def test_bad_settings_are_refused(supersample):
    with pytest.raises(ConfigError, match=f"render.supersample = {supersample} must lie between 1 and 8"):
        RenderSettings(supersample)
    with pytest.raises(ConfigError, match=r"render\.plain_back_rgb = \[1\.0, 2\.0, 0\.0\] must lie between 0 and 1"):
        RenderSettings(plain_back_rgb=(1.0, 2.0, 0.0))


def test_scenes_that_do_not_fit_together_are_refused(scene):
    with pytest.raises(MeshError, match=r"scene.corner_uv has shape \(1, 3, 2\), expected"):
        replace(scene, corner_uv=torch.zeros(1, 3, 2))
    with pytest.raises(MeshError, match=r"scene.triangles name the vertices 1 to \d+, but there are \d+"):
        replace(scene, triangles=scene.triangles + 1)
    with pytest.raises(MeshError, match=r"scene.face_texture must be \(3, H, W\), not \(4, 4\)"):
        replace(scene, face_texture=torch.zeros(4, 4))
