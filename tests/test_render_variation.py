"""What varies between the views of a design besides pose and light: cloth, sensor, and how the mask is put on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from render_scenes import PATTERN, camera, curved_mask, egg_face, masked_scene, sheet_scene, square_corners, view

from maskdesign.errors import ConfigError
from maskdesign.faces.head import builtin_face
from maskdesign.mask.drape import DrapeSettings, drape_mask
from maskdesign.mask.misplaced import PlacementRanges, misplaced, slide_mask
from maskdesign.mask.pattern import MaskPattern
from maskdesign.render.bank import ShotBank
from maskdesign.render.cloth import CONTROL_POINTS, CONTROLS, deform_cloth, displacement_field
from maskdesign.render.distribution import HeldOutRanges, ViewRanges, sample_views
from maskdesign.render.renderer import RenderSettings, render_linear, take_shots

SIZE_MM = (175.0, 155.0)


def displacements(seed: int, mm: float) -> tuple[float, ...]:
    return tuple(map(float, np.random.default_rng(seed).normal(0, mm, 2 * CONTROLS)))


def test_the_spline_passes_through_its_controls_and_reproduces_affine_maps():
    control = np.reshape(displacements(0, 2.0), (CONTROLS, 2))
    field = displacement_field(control, (150.0, 120.0))
    rows, columns = (np.linspace(0, n - 1, count) for n, count in zip(field.shape[:2], CONTROL_POINTS, strict=True))
    at_controls = [field[round(r), round(c)] for r in rows for c in columns]
    np.testing.assert_allclose(at_controls, control, atol=1e-9)
    u, v = np.meshgrid(np.linspace(0, 150, CONTROL_POINTS[1]), np.linspace(0, 120, CONTROL_POINTS[0]))
    affine = np.stack([1 + 0.02 * u - 0.01 * v, -2 + 0.03 * v], -1)
    field = displacement_field(affine.reshape(-1, 2), (150.0, 120.0))
    gu, gv = np.meshgrid(np.linspace(0, 150, field.shape[1]), np.linspace(0, 120, field.shape[0]))
    np.testing.assert_allclose(field, np.stack([1 + 0.02 * gu - 0.01 * gv, -2 + 0.03 * gv], -1), atol=1e-9)


def test_deformed_cloth_shows_print_from_beside_and_stays_linear():
    scene = masked_scene(24)
    cloth = displacements(1, 2.0)
    plain, soft = [view(camera(15))], [view(camera(15), cloth_mm=cloth)]
    ramp = torch.stack(torch.meshgrid(torch.linspace(0, 1, 156), torch.linspace(0, 1, 176), indexing="ij"))
    texture = torch.cat([ramp, torch.zeros(1, 156, 176)])
    moved = (render_linear([scene], soft, texture) - render_linear([scene], plain, texture)).abs().max()
    assert 0.005 < moved < 0.06
    a, b = (torch.rand(3, 31, 35, generator=torch.Generator().manual_seed(s)) for s in (2, 3))
    mixed, first, second = (render_linear([scene], soft, t) for t in (0.3 * a + 0.7 * b, a, b))
    torch.testing.assert_close(mixed, 0.3 * first + 0.7 * second, atol=1e-6, rtol=0)


def test_a_shift_of_all_controls_shifts_the_print():
    scene = replace(sheet_scene(square_corners(80)), sheet_size_mm=SIZE_MM)
    (shot,) = take_shots([scene], [view(camera())], RenderSettings(1))
    moved = deform_cloth(shot.affine, (3.5, -1.55) * CONTROLS, SIZE_MM)
    np.testing.assert_allclose(moved.uv - shot.affine.uv, np.broadcast_to([0.02, -0.01], moved.uv.shape), atol=1e-6)
    assert deform_cloth(shot.affine, (), SIZE_MM) is shot.affine


def test_without_the_new_ranges_views_are_what_they_were():
    plain = sample_views(ViewRanges(), 3, 5, 6, 2)
    soft = sample_views(ViewRanges(cloth_mm=(1.0, 1.0)), 3, 5, 6, 2)
    assert all(v.cloth_mm == () and v.binning == 1 for v in plain)
    for one, other in zip(plain, soft, strict=True):
        assert len(other.cloth_mm) == 2 * CONTROLS
        assert repr(replace(other, cloth_mm=())) == repr(one)


def test_with_a_sensor_the_distance_decides_the_resolution():
    ranges = ViewRanges(sensor_px=(300.0, 2048.0), distance_mm=(400.0, 3000.0), noise_std=(0.01, 0.01), blur_px=(1, 1))
    views = [v for step in range(20) for v in sample_views(ranges, 1, step, 8, 1)]
    distance = np.array([np.linalg.norm(v.camera.R.T @ v.camera.T + [0, 0, -40]) for v in views])
    resolution = np.array([v.camera.K[0, 0] for v in views]) / distance
    binning = np.array([v.binning for v in views])
    assert resolution.max() <= ranges.px_per_mm[1] + 1e-9 and resolution.min() < 0.15
    # The sensor's own resolution times the distance is its focal length, whose range is known.
    focal_px = resolution * binning * distance
    low, high = (px / 2 / np.tan(np.radians(a) / 2) for px, a in ((300, 75), (2048, 50)))
    assert low - 1e-6 <= focal_px.min() < 1.4 * low and 0.7 * high < focal_px.max() <= high + 1e-6
    assert (binning[resolution < 0.84] == 1).all() and binning.max() > 2
    np.testing.assert_allclose([v.response.noise_std * v.binning for v in views], 0.01)
    np.testing.assert_allclose([v.response.blur_sigma_px * v.binning for v in views], 1.0)


def test_a_kept_shot_keeps_the_binning_of_its_distance():
    ranges = ViewRanges(image_px=32, sensor_px=(600.0, 2048.0), noise_std=(0.01, 0.01), blur_px=(1, 1))
    bank = ShotBank((masked_scene(16),), ranges, RenderSettings(1), 1, 2)
    bank.shots(0, 4)
    for shot in bank.shots(2, 4):
        assert shot.view.response.noise_std * shot.view.binning == pytest.approx(0.01)
        assert shot.view.response.blur_sigma_px * shot.view.binning == pytest.approx(1.0)


def test_a_mask_on_a_ball_slides_as_far_as_asked():
    face, worn = egg_face(60), curved_mask()
    still = slide_mask(face, worn, (0.0, 0.0), 0.0)
    np.testing.assert_allclose(still.mesh.vertices, worn.mesh.vertices, atol=1e-9)
    front = np.argmin(np.linalg.norm(worn.mesh.vertices, axis=1))
    for shift in ((4.0, 0.0), (0.0, -3.0), (2.0, 2.0)):
        moved = slide_mask(face, worn, shift, 0.0)
        found = (moved.mesh.vertices - worn.mesh.vertices)[front, :2]
        np.testing.assert_allclose(found, shift, atol=0.6)
        assert np.array_equal(moved.sheet_mm, worn.sheet_mm)
    right = np.argmax(worn.mesh.vertices[:, 0])
    assert (slide_mask(face, worn, (0.0, 0.0), 5.0).mesh.vertices - worn.mesh.vertices)[right, 1] < -3


def test_a_slid_mask_stays_outside_the_face_and_is_hardly_stretched():
    import igl

    face = builtin_face()
    worn = drape_mask(face, MaskPattern(), DrapeSettings())
    variants = misplaced(face, worn, PlacementRanges(placements=4, shift_mm=3.0, roll_deg=2.0), seed=1)
    assert variants[0] is worn and len(variants) == 4
    edges = np.unique(np.sort(worn.mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)

    def lengths(mask):
        return np.linalg.norm(np.diff(mask.mesh.vertices[edges], axis=1)[:, 0], axis=1)

    for variant in variants[1:]:
        assert 0.3 < np.abs(variant.mesh.vertices - worn.mesh.vertices)[:, :2].max() < 10
        strain = lengths(variant) / lengths(worn) - 1
        assert np.sqrt((strain**2).mean()) < 0.03
        skin = face.mesh.vertices, face.mesh.triangles.astype(np.int64)
        height_mm = np.asarray(igl.signed_distance(variant.mesh.vertices, *skin)[0])
        assert height_mm.min() > -1 and (height_mm < -0.05).mean() < 0.01
    again = misplaced(face, worn, PlacementRanges(placements=2, shift_mm=3.0, roll_deg=2.0), seed=1)
    assert np.array_equal(again[1].mesh.vertices, variants[1].mesh.vertices)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlacementRanges(placements=0), "placement.placements = 0 must lie between 1 and 16"),
        (lambda: PlacementRanges(shift_mm=40.0), "placement.shift_mm = 40"),
        (lambda: ViewRanges(sensor_px=(0.0, 900.0)), r"views.sensor_px = \(0.0, 900.0\) must be \(0, 0\) or start"),
        (lambda: ViewRanges(cloth_mm=(0.0, 99.0)), "views.cloth_mm"),
        (lambda: HeldOutRanges(field_of_view_deg=(1.0, 20.0)), "views.field_of_view_deg"),
    ],
)
def test_bad_ranges_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_pattern_gives_the_sheet_its_size():
    assert masked_scene(16).sheet_size_mm == (PATTERN.width_mm, PATTERN.height_mm)
