"""The mask on a photograph: pose and light found again from a rendered photo whose pose and light are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from render_scenes import AMBIENT_ONE, PATTERN, camera, checks, curved_mask, view

from maskdesign.errors import InputError
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import FaceScan
from maskdesign.render.camera import orbit_camera, project_points
from maskdesign.render.color import srgb_decode, srgb_encode
from maskdesign.render.composite import (
    SKIN_ALBEDO,
    composite,
    composite_view,
    estimate_light,
    photo_pose,
    resized_camera,
)
from maskdesign.render.light import Light, harmonic_light
from maskdesign.render.renderer import RenderSettings, render_linear
from maskdesign.render.scene import Scene, build_scene

SIDE = 160
NAMES = ("eye_outer_left", "eye_inner_left", "eye_inner_right", "eye_outer_right", "nasion", "nose_tip", "subnasale",
         "mouth_left", "mouth_right", "chin", "jaw_left", "jaw_right")  # fmt: skip
RIGHT = Light((0.2, 0.2, 0.2), (0.5, 0.5, 0.5), (0.8, 0.2, 0.6))


@pytest.fixture(scope="module")
def face() -> FaceScan:
    """A head of even skin, so that all shading in its photo is light."""
    face = builtin_face()
    return replace(face, texture=np.full_like(face.texture, round(255 * srgb_encode(torch.tensor(SKIN_ALBEDO)).item())))


@pytest.fixture(scope="module")
def masked(face) -> Scene:
    return build_scene(face, curved_mask(), PATTERN)


def portrait(yaw_deg: float, pitch_deg: float, roll_deg: float):
    return orbit_camera(yaw_deg, pitch_deg, roll_deg, 1500.0, 900.0, SIDE, SIDE)


def points_in(face: FaceScan, cam) -> dict[str, np.ndarray]:
    pixels = project_points(cam, face.points_mm(NAMES))[:, :2]
    return dict(zip(NAMES, pixels, strict=True))


def photograph(face: FaceScan, cam, light: Light) -> np.ndarray:
    bare = build_scene(face, None, PATTERN)
    linear = render_linear([bare], [view(cam, light)], torch.zeros(3, 2, 2))[0]
    return (srgb_encode(linear.clamp(0, 1)) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("pose", [(0, 0, 0), (25, 0, 5), (-30, 12, -8)])
def test_the_pose_of_a_photo_is_found_again(face, pose):
    cam = portrait(*pose)
    found = photo_pose(face, points_in(face, cam), SIDE, SIDE)
    # The focal length is a guess from the spread of the landmarks, which turning narrows; the picture is what counts.
    assert found.error_px < 0.3
    everywhere = face.mesh.vertices[(np.abs(face.mesh.vertices) < 90).all(axis=1)]
    apart = project_points(found.camera, everywhere)[:, :2] - project_points(cam, everywhere)[:, :2]
    assert np.linalg.norm(apart, axis=1).max() < 1.5


def test_noise_on_the_landmarks_shows_in_the_error(face):
    cam = portrait(10, 0, 0)
    noise = np.random.default_rng(0).normal(0, 2, (len(NAMES), 2))
    moved = {name: point + n for (name, point), n in zip(points_in(face, cam).items(), noise, strict=True)}
    assert 1 < photo_pose(face, moved, SIDE, SIDE).error_px < 3


def test_a_resized_camera_sees_the_same(face):
    cam = portrait(10, 5, 0)
    small, large = (project_points(c, face.mesh.vertices)[:, :2] for c in (cam, resized_camera(cam, 2.5)))
    np.testing.assert_allclose(large, 2.5 * small, atol=1e-9)


@pytest.mark.parametrize("pose", [(0, 0, 0), (20, 5, 0)])
def test_the_light_of_a_photo_is_found_again(face, pose):
    cam = portrait(*pose)
    light = estimate_light(build_scene(face, None, PATTERN), cam, photograph(face, cam, RIGHT))
    normals = np.array([[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8], [0, -0.6, 0.8]])
    found = harmonic_light(light, normals)[:, 0]
    towards = np.array(RIGHT.direction) / np.linalg.norm(RIGHT.direction)
    expected = 0.2 + 0.5 * np.maximum(normals @ towards, 0)
    # Harmonics up to the first order cannot follow the terminator of a single lamp.
    np.testing.assert_allclose(found, expected, atol=0.12)


def test_white_stays_in_the_range_of_the_picture(face):
    cam = portrait(0, 0, 0)
    bright = Light((1.5, 1.5, 1.5), (1.0, 1.0, 1.0), (1.0, 0.0, 1.0))
    light = estimate_light(build_scene(face, None, PATTERN), cam, photograph(face, cam, bright))
    directions = np.random.default_rng(0).normal(size=(200, 3))
    directions[:, 2] = np.abs(directions[:, 2])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert harmonic_light(light, directions).max() < 1.1


def test_beside_the_mask_the_photo_stays_as_it_is(masked):
    photo = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    shown = composite_view(masked, portrait(15, 0, 0), AMBIENT_ONE, photo, RenderSettings(2))
    picture = composite(shown, checks())
    pixels = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    touched = np.zeros(SIDE * SIDE, bool)
    touched[shown.pixel] = True
    same = (np.abs(pixels.astype(int) - photo) <= 1).all(axis=2).reshape(-1)
    assert 0.1 < touched.mean() < 0.5
    # Plain back shows beside the print here and there.
    assert same[~touched].mean() > 0.99 and same[touched].mean() < 0.1


def test_the_mask_looks_as_it_does_without_a_photo(masked):
    cam = portrait(-20, 5, 0)
    photo = np.zeros((SIDE, SIDE, 3), np.uint8)
    shown = composite_view(masked, cam, RIGHT, photo, RenderSettings(1))
    alone = render_linear([masked], [view(cam, RIGHT)], srgb_decode(checks()), RenderSettings(1))[0]
    picture = composite(shown, checks()).flatten(1)[:, shown.pixel]
    torch.testing.assert_close(picture, srgb_encode(alone.clamp(0, 1)).flatten(1)[:, shown.pixel], atol=1e-4, rtol=0)


def test_gradients_reach_the_texture(masked):
    photo = np.full((SIDE, SIDE, 3), 90, np.uint8)
    shown = composite_view(masked, portrait(0, 0, 0), RIGHT, photo, RenderSettings(2))
    texture = checks().requires_grad_()
    (gradient,) = torch.autograd.grad(composite(shown, texture).sum(), texture)
    assert (gradient > 0).all(dim=0).float().mean() > 0.5


def test_what_does_not_fit_is_refused(face, masked):
    with pytest.raises(InputError, match="2 landmarks of the photo are known, at least 6 needed"):
        photo_pose(face, {"chin": np.zeros(2), "nasion": np.ones(2)}, SIDE, SIDE)
    with pytest.raises(InputError, match="the photo has 9 x 8 pixels, its camera 96 x 96"):
        composite_view(masked, camera(), AMBIENT_ONE, np.zeros((8, 9, 3), np.uint8), RenderSettings(1))
    away = orbit_camera(180, 0, 0, 1500, 900, 32, 32)
    with pytest.raises(InputError, match="too few to estimate its light"):
        estimate_light(build_scene(face, None, PATTERN), away, np.zeros((32, 32, 3), np.uint8))
