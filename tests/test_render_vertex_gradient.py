"""Gradients to vertices against float64 differences and against moving the mesh for real."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from render_scenes import camera, masked_scene, sheet_scene, square_corners, vertex_gradient_error, view

from maskdesign.errors import InputError
from maskdesign.render.reference import render_linear_reference
from maskdesign.render.renderer import RenderSettings
from maskdesign.render.scene import Scene
from maskdesign.render.vertex_gradient import moving_barycentrics, render_vertices
from maskdesign.render.zbuffer import rasterize

ONE = RenderSettings(1)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return masked_scene(30)


def smooth_texture() -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(62.0), torch.arange(70.0), indexing="ij")
    wave = 0.5 + 0.4 * torch.sin(rows / 9) * torch.cos(columns / 11)
    return torch.stack([wave, 1 - wave, wave * 0.5]).double()


def test_moving_barycentrics_equal_the_rasterizers(scene):
    cam = camera(30, 10)
    found = rasterize(scene.vertices_mm, scene.triangles, [cam])
    weights = moving_barycentrics(
        found.pix_to_face[0], torch.from_numpy(scene.vertices_mm).double(), scene.triangles, cam
    )
    hit = found.pix_to_face[0] >= 0
    np.testing.assert_allclose(weights[hit], found.bary_coords[0][hit], atol=2e-6)
    assert (weights[~hit] == 0).all()


def test_the_picture_is_the_reference_picture(scene):
    vertices, shown = torch.from_numpy(scene.vertices_mm).double(), view(camera(20, 5))
    image = render_vertices(scene, shown, vertices, smooth_texture(), RenderSettings(2))
    expected = render_linear_reference([scene], [shown], smooth_texture(), RenderSettings(2))[0]
    torch.testing.assert_close(image, expected, atol=1e-5, rtol=0)


def test_gradient_against_central_differences_in_float64(scene):
    assert vertex_gradient_error(scene) <= 1e-6


def test_gradient_tells_what_really_moving_the_sheet_does():
    sheet = sheet_scene(square_corners(90), divisions=1)
    shown, texture = view(camera(20, 10, side_px=64)), smooth_texture()
    vertices = torch.from_numpy(sheet.vertices_mm).double()
    direction = torch.tensor([0.8, 0.5, 0.3], dtype=torch.float64).expand_as(vertices)

    def moved(by_mm: float) -> tuple[torch.Tensor, np.ndarray]:
        place = vertices + by_mm * direction
        seen = rasterize(place.float().numpy(), sheet.triangles, [shown.camera])
        return render_vertices(sheet, shown, place, texture, ONE), seen.pix_to_face[0]

    (ahead, seen_ahead), (behind, seen_behind) = moved(0.25), moved(-0.25)
    inside = (seen_ahead >= 0) & (seen_ahead == seen_behind)
    assert inside.mean() > 0.2
    difference = (ahead - behind) / 0.5 * torch.from_numpy(inside)
    leaf = vertices.clone().requires_grad_()
    here = rasterize(sheet.vertices_mm, sheet.triangles, [shown.camera])
    (gradient,) = torch.autograd.grad(render_vertices(sheet, shown, leaf, texture, ONE, here), leaf, difference)
    # <d, J v> against <d, d>, where d is J v up to the kinks between texels, which the difference averages over.
    assert (gradient * direction).sum().item() == pytest.approx(difference.square().sum().item(), rel=0.01)


def test_a_shift_along_the_line_of_sight_of_a_flat_color_has_no_gradient():
    sheet = sheet_scene(square_corners(300))
    vertices = torch.from_numpy(sheet.vertices_mm).double().requires_grad_()
    image = render_vertices(sheet, view(camera()), vertices, torch.full((3, 4, 4), 0.5).double(), ONE)
    (gradient,) = torch.autograd.grad(image.sum(), vertices)
    assert gradient.abs().max() < 1e-12


def test_vertices_of_another_mesh_are_refused(scene):
    with pytest.raises(InputError, match=r"vertices_mm has shape \(4, 3\), the scene's"):
        render_vertices(scene, view(camera()), torch.zeros(4, 3), torch.zeros(3, 2, 2))
