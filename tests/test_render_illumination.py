"""Near lamps, spherical harmonics, highlights, sheen and shadows against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from render_scenes import (
    NEUTRAL,
    PATTERN,
    camera,
    checks,
    curved_mask,
    egg_face,
    egg_mesh,
    harmonic_energy_error,
    lamp_energy_error,
    masked_scene,
    sheet_scene,
    sphere,
    square_corners,
    view,
)

from maskdesign.errors import ConfigError, InputError
from maskdesign.render import illumination
from maskdesign.render.illumination import illuminate_view
from maskdesign.render.light import Light, PointLight, harmonic_light, position_in_head, spherical_harmonics
from maskdesign.render.material import NONWOVEN, SKIN, Finish, gloss
from maskdesign.render.renderer import RenderSettings, render_linear, render_views
from maskdesign.render.scene import Scene, build_scene
from maskdesign.render.shading import shade_view
from maskdesign.render.shadow import shadow_map
from maskdesign.render.texture import show_texture

DARK = (0.0, 0.0, 0.0)
WHITE = torch.ones(3, 8, 8)
ONE = RenderSettings(1)


def lamp_only(*points: PointLight) -> Light:
    return Light(DARK, DARK, (0.0, 0.0, 1.0), points=points)


def middle(image: torch.Tensor) -> np.ndarray:
    return image[0, :, image.shape[-2] // 2, image.shape[-1] // 2].numpy()


def both_scenes(*scenes: Scene) -> Scene:
    """Sheets as one scene."""
    offsets = np.cumsum([0] + [len(scene.vertices_mm) for scene in scenes])
    return Scene(
        np.concatenate([scene.vertices_mm for scene in scenes]),
        np.concatenate([s.triangles + o for s, o in zip(scenes, offsets, strict=False)]).astype(np.int32),
        torch.cat([scene.corner_normals for scene in scenes]),
        torch.cat([scene.corner_uv for scene in scenes]),
        torch.cat([scene.material for scene in scenes]),
        scenes[0].face_texture,
    )


@pytest.mark.parametrize("yaw_deg", [0, 40, -160])
def test_any_light_equals_the_fast_way_where_both_apply(yaw_deg, monkeypatch):
    scene, shown = masked_scene(), view(camera(yaw_deg, 10, 5))
    fast = shade_view(scene, shown, RenderSettings(2))
    # A black lamp changes nothing but the way that is taken.
    slow = illuminate_view(
        scene, replace(shown, light=replace(shown.light, points=(PointLight(DARK, DARK),))), RenderSettings(2)
    )
    monkeypatch.setattr(illumination, "shade_view", lambda *_: pytest.fail("the fast way was taken"))
    np.testing.assert_allclose(slow.base, fast.base, atol=2e-5)
    assert np.array_equal(np.bincount(slow.pixel), np.bincount(fast.pixel))
    assert slow.weight.sum(0) == pytest.approx(fast.weight.sum(0), rel=1e-5)
    texture = checks()
    torch.testing.assert_close(show_texture(texture, [slow]), show_texture(texture, [fast]), atol=3e-5, rtol=0)


def test_a_plain_view_takes_the_fast_way():
    scene, shown = masked_scene(), view(camera(20))
    assert np.array_equal(illuminate_view(scene, shown, ONE).base, shade_view(scene, shown, ONE).base)


@pytest.mark.parametrize(("aside_mm", "distance_mm"), [(0, 500), (300, 700), (-250, 400)])
def test_a_near_lamp_falls_with_cosine_and_squared_distance(aside_mm, distance_mm):
    # The sheet lies 660 mm before the camera: the lamp's z counts from the camera, towards its back.
    lamp = PointLight((float(aside_mm), 0.0, distance_mm - 660.0), (0.3, 0.2, 0.1))
    image = render_linear([sheet_scene(square_corners(90))], [view(camera(side_px=97), lamp_only(lamp))], WHITE, ONE)
    squared = aside_mm**2 + distance_mm**2
    expected = np.array([0.3, 0.2, 0.1]) * 1e6 / squared * distance_mm / np.sqrt(squared)
    np.testing.assert_allclose(middle(image), expected, rtol=1e-4)


def test_the_energy_of_a_near_lamp_is_its_solid_angle():
    assert lamp_energy_error() <= 3e-3


def test_a_near_lamp_stays_in_the_room_while_the_head_turns():
    lamp = PointLight((100.0, 200.0, -50.0), (1.0, 1.0, 1.0))
    for cam in (camera(0), camera(50, 20, 10)):
        in_camera = cam.R @ position_in_head(lamp, cam) + cam.T
        np.testing.assert_allclose(in_camera, [100, -200, 50], atol=1e-9)


def test_spherical_harmonics_are_orthonormal():
    directions, solid_angle = sphere(20)
    values = spherical_harmonics(directions)
    np.testing.assert_allclose(values.T @ (values * solid_angle[:, None]), np.eye(9), atol=1e-12)


@pytest.mark.parametrize("index", range(9))
def test_harmonic_light_is_the_integral_over_the_hemisphere(index):
    coefficients = np.zeros((9, 3))
    coefficients[0], coefficients[index] = 3.0, 3.0 + np.arange(3) / 4
    directions, solid_angle = sphere()
    normal = np.array([[0.48, -0.6, 0.64]])
    radiance = spherical_harmonics(directions) @ coefficients
    expected = (radiance * (solid_angle * np.maximum(directions @ normal[0], 0))[:, None]).sum(0) / np.pi
    light = Light(DARK, DARK, (0, 0, 1), harmonics_rgb=tuple(map(tuple, coefficients)))
    np.testing.assert_allclose(harmonic_light(light, normal)[0], expected, atol=2e-4)


def test_harmonic_light_reaches_the_picture():
    assert harmonic_energy_error() <= 1e-4


def test_constant_harmonics_are_a_white_furnace():
    constant = ((np.sqrt(4 * np.pi),) * 3,) + ((0.0,) * 3,) * 8
    light = Light(DARK, DARK, (0, 0, 1), harmonics_rgb=constant)
    image = render_linear([sheet_scene(square_corners(500))], [view(camera(25, 5), light)], WHITE)
    assert (image - 1).abs().max() <= 1e-4


def test_harmonics_stay_in_the_room_while_the_head_turns():
    # Light from the right of the room reaches a sheet that turns its face there, and not one that turns away.
    coefficients = ((0.0,) * 3,) * 3 + ((1.0,) * 3,) + ((0.0,) * 3,) * 5
    light = Light(DARK, DARK, (0, 0, 1), harmonics_rgb=coefficients)
    scene = sheet_scene(square_corners(120))
    right, left = (middle(render_linear([scene], [view(camera(yaw), light)], WHITE)) for yaw in (30, -30))
    np.testing.assert_allclose(right, np.sqrt(3 / (4 * np.pi)) * 2 / 3 * np.sin(np.radians(30)), rtol=1e-5)
    assert (left == 0).all()


@pytest.mark.parametrize("shininess", [0.0, 8.0, 40.0])
def test_the_highlight_reflects_its_share_of_the_light_from_ahead(shininess):
    directions, solid_angle = sphere()
    upper = directions[:, 2] > 0
    eyes = directions[upper]
    ahead = np.broadcast_to([0.0, 0.0, 1.0], eyes.shape)
    shine = gloss(Finish(specular=0.3, shininess=shininess), ahead, ahead, eyes)
    # Radiance over that of a white surface, which sends pi times its radiance into the hemisphere.
    assert (shine * eyes[:, 2] * solid_angle[upper]).sum() / np.pi == pytest.approx(0.3, rel=2e-3)


def test_the_highlight_stands_where_the_lamp_is_mirrored():
    # Lamp and camera at 30 degrees to either side of the sheet's normal, which is turned by 30 degrees.
    finish = Finish(specular=0.2, shininess=50.0)
    lamp = Light(DARK, (0.6, 0.6, 0.6), (np.sin(np.radians(60)), 0.0, np.cos(np.radians(60))))
    scene = replace(sheet_scene(square_corners(120)), finishes=(finish, finish))
    image = render_linear([scene], [view(camera(30, side_px=97), lamp)], torch.zeros(3, 4, 4), ONE)
    expected = 0.6 * np.cos(np.radians(30)) * 0.2 * (50 + 2) / 2
    # The middle pixel sees the point about which the head turns, 40 mm behind the sheet.
    row = image[0, 0, 48].numpy()
    assert row.max() == pytest.approx(expected, rel=1e-3)


def test_sheen_glows_at_grazing_light_only():
    finish = Finish(sheen=0.5)
    normal, eye = np.array([[0.0, 0, 1]]), np.array([[0.0, 0, 1]])
    angles = np.radians([0.0, 80.0])
    near, far = (gloss(finish, normal, np.array([[np.sin(a), 0, np.cos(a)]]), eye)[0] for a in angles)
    assert near == 0
    # Half way between lamp and eye is 40 degrees from either.
    assert far == pytest.approx(0.5 * (1 - np.cos(np.radians(40))) ** 5 * np.cos(np.radians(80)), rel=1e-9)


def floor_and_roof() -> Scene:
    """A sheet of 400 mm, and one of 80 mm hovering 50 mm before it."""
    return both_scenes(sheet_scene(square_corners(200)), sheet_scene(square_corners(40) + np.array([0, 0, 50.0])))


def test_the_shadow_of_a_square_has_its_place_and_its_area():
    settings = RenderSettings(2, shadow_map_px=2048)
    light = Light(DARK, (1.0, 1.0, 1.0), (3.0, 0.0, 2.0))
    # Seen from the left of the picture, the roof hides no part of its shadow, which falls 75 mm to the left.
    cam = camera(0, side_px=200, distance_mm=2000)
    shown = view(cam, light, background_rgb=DARK)
    image = render_linear([floor_and_roof()], [shown], WHITE, settings)[0, 0]
    cosine = 2 / np.sqrt(13)
    scale = cam.K[0, 0] / 1960
    columns = (np.arange(200) + 0.5 - 100) / scale
    middle_row = image[100].numpy()
    # Seen from ahead the roof covers -41 to 41 mm; its shadow reaches from -115 to -35 mm.
    assert (middle_row[(columns > -111) & (columns < -45)] < 0.02 * cosine).all()
    np.testing.assert_allclose(middle_row[(columns < -119) & (columns > -125)], cosine, rtol=1e-3)
    np.testing.assert_allclose(middle_row[(columns > 45) & (columns < 120)], cosine, rtol=1e-3)
    dark = (image < cosine / 2)[:, columns < -42]
    assert dark.sum().item() / scale**2 == pytest.approx((115 - 42) * 80, rel=0.02)


def test_a_lamp_that_sees_everything_casts_no_shadow():
    scene = sheet_scene(square_corners(200))
    for direction in ((0.0, 0.0, 1.0), (3.0, 1.0, 2.0), (9.0, 0.0, 1.0)):
        shown = view(camera(), Light(DARK, (1.0, 1.0, 1.0), direction))
        plain, shaded = (render_linear([scene], [shown], WHITE, RenderSettings(1, shadow_map_px=px)) for px in (0, 512))
        torch.testing.assert_close(shaded, plain, atol=1e-5, rtol=0)


def test_no_acne_and_no_more_than_the_unshadowed_light_on_a_head():
    bare = build_scene(egg_face(), None, PATTERN)
    shown = view(camera(20), Light(DARK, (1.0, 1.0, 1.0), (0.8, 0.3, 0.6)))
    plain, shaded = (render_linear([bare], [shown], WHITE, RenderSettings(2, shadow_map_px=px)) for px in (0, 1024))
    assert (shaded <= plain + 1e-6).all()
    # A convex head hides the lamp from nothing that faces it: what is lost is a rim where the light grazes.
    assert (plain - shaded).sum() <= 2e-3 * plain.sum()


def test_the_mask_throws_a_shadow_on_the_chin():
    scene = build_scene(egg_face(), curved_mask(), PATTERN)
    shown = view(camera(0, 30), Light(DARK, (1.0, 1.0, 1.0), (0.0, 1.0, 0.4)), background_rgb=DARK)
    plain, shaded = (render_linear([scene], [shown], WHITE, RenderSettings(2, shadow_map_px=px)) for px in (0, 1024))
    assert (plain - shaded).sum() > 0.01 * plain.sum()


def test_near_lamps_cast_shadows_too_and_must_stand_outside():
    settings = RenderSettings(1, shadow_map_px=512)
    lamp = PointLight((400.0, 0.0, -1400.0), (1.0, 1.0, 1.0))
    shown = view(camera(0, distance_mm=2000), lamp_only(lamp), background_rgb=DARK)
    lit, dark = (render_linear([floor_and_roof()], [shown], WHITE, s)[0, 0] for s in (ONE, settings))
    # The lamp stands at (400, 0, 560): the roof's middle falls on x = -400 * 50 / 510 = -39 mm.
    place = round(48 + (-60) * camera(0, distance_mm=2000).K[0, 0] / 1960)
    assert lit[48, place] > 0.1 and dark[48, place] < 0.02 * lit[48, place]
    with pytest.raises(InputError, match=r"a lamp 50 mm from the middle .* casts no shadow map; move it beyond"):
        shadow_map(floor_and_roof(), np.array([0.0, 0, 75]), 64)


def test_gradients_reach_the_texture_through_any_light():
    scene = replace(masked_scene(), finishes=(SKIN, NONWOVEN))
    light = replace(view(camera()).light, points=(PointLight((300.0, 200, -100), (0.2, 0.2, 0.2)),))
    texture = checks().double().requires_grad_()
    image = render_views(
        [scene], [view(camera(20, side_px=48), light, NEUTRAL)], texture, RenderSettings(2, shadow_map_px=256)
    )
    (gradient,) = torch.autograd.grad(image.sum(), texture)
    assert torch.isfinite(gradient).all() and (gradient > 0).float().mean() > 0.3


def test_an_empty_scene_shows_the_background():
    mesh = egg_mesh(4)
    nothing = Scene(
        mesh.vertices.astype(np.float32), np.zeros((0, 3), np.int32), torch.zeros(0, 3, 3), torch.zeros(0, 3, 2),
        torch.zeros(0, dtype=torch.uint8), torch.zeros(3, 1, 1),
    )  # fmt: skip
    image = render_linear([nothing], [view(camera())], WHITE, RenderSettings(1, shadow_map_px=64))
    np.testing.assert_allclose(middle(image), [0.2, 0.3, 0.4], rtol=1e-6)


def test_impossible_lights_and_finishes_are_refused():
    with pytest.raises(InputError, match="point light rgb = "):
        PointLight((0, 0, 0), (-1, 0, 0))
    with pytest.raises(InputError, match="point light position_mm = "):
        PointLight((float("nan"), 0, 0), (1, 0, 0))
    with pytest.raises(InputError, match=r"light\.harmonics_rgb must be 9 finite colors or none"):
        Light(DARK, DARK, (0, 0, 1), harmonics_rgb=((1.0, 1.0, 1.0),))
    with pytest.raises(InputError, match=r"finish specular = 1\.5 must lie between 0 and 1"):
        Finish(specular=1.5)
    with pytest.raises(ConfigError, match=r"render\.shadow_map_px = -1 must lie between 0 and 8192"):
        RenderSettings(shadow_map_px=-1)
