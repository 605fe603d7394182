"""The texture's way into the picture and back: linearity, adjoint, finite differences, and the slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from render_scenes import adjoint_error, camera, checks, masked_scene, view

from maskdesign.render.distribution import ViewRanges, sample_views
from maskdesign.render.light import Light
from maskdesign.render.reference import interpolate_corner_attributes, render_linear_reference
from maskdesign.render.renderer import RenderSettings, render_linear, render_views
from maskdesign.render.scene import Scene
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.zbuffer import rasterize

SETTINGS = RenderSettings(supersample=2)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return masked_scene()


def random_texture(seed: int, dtype: torch.dtype = torch.float64, height: int = 31, width: int = 35) -> torch.Tensor:
    return torch.rand(3, height, width, dtype=dtype, generator=torch.Generator().manual_seed(seed))


VIEWS = [
    view(camera(0)),
    view(camera(40, 12, 5), Light((0.3, 0.2, 0.1), (0.5, 0.6, 0.7), (-1, 0.2, 0.5))),
    view(camera(-160)),
]


def test_the_fast_path_equals_the_plain_torch_twin_forward_and_backward(scene):
    texture = random_texture(0).requires_grad_()
    images = []
    gradients = []
    for render in (render_linear, render_linear_reference):
        image = render([scene], VIEWS, texture, SETTINGS)
        weights = random_texture(1, height=96, width=96)
        images.append(image.detach())
        gradients.append(torch.autograd.grad((image * weights).sum(), texture)[0])
    torch.testing.assert_close(images[0], images[1], atol=2e-5, rtol=0)
    assert (gradients[0] - gradients[1]).norm() <= 1e-5 * gradients[1].norm()


@pytest.mark.parametrize("supersample", [1, 3])
def test_adjoint(scene, supersample):
    assert adjoint_error(scene, VIEWS, RenderSettings(supersample)) <= 1e-12


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_light_is_affine_in_the_texture(scene, dtype, tolerance):
    a, b = random_texture(4, dtype), random_texture(5, dtype)
    mixed, first, second = (render_linear([scene], VIEWS, t, SETTINGS) for t in (0.3 * a + 0.7 * b, a, b))
    torch.testing.assert_close(mixed, 0.3 * first + 0.7 * second, atol=tolerance, rtol=0)


def test_gradient_of_the_whole_camera_against_central_differences(scene):
    response = CameraResponse(blur_sigma_px=0.8, noise_std=0.01, gain=0.7, white_balance=(0.9, 1, 1.1), gamma=0.95)
    views = [view(camera(20, -5, 3, side_px=48), response=response)]
    texture = (0.2 + 0.6 * random_texture(6, height=9, width=11)).requires_grad_()
    target = random_texture(7, height=48, width=48)

    def loss(t: torch.Tensor) -> torch.Tensor:
        return ((render_views([scene], views, t) - target) ** 2).sum()

    (gradient,) = torch.autograd.grad(loss(texture), texture)
    rng = np.random.default_rng(8)
    for _ in range(6):
        direction = torch.from_numpy(rng.standard_normal(texture.shape))
        step = 1e-5
        with torch.no_grad():
            numeric = (loss(texture + step * direction) - loss(texture - step * direction)) / (2 * step)
        assert numeric.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-6)


def test_gradient_is_alive_in_millimeters(scene):
    texture = checks().requires_grad_()
    render_views([scene], [view(camera(distance_mm=1500))], texture).mean().backward()
    assert texture.grad is not None and texture.grad.abs().mean() > 1e-7


def test_every_texel_that_training_views_see_gets_a_gradient(scene):
    texture = torch.full((3, 62, 70), 0.5)
    seen = torch.zeros(62, 70, dtype=torch.bool)
    for step in range(6):
        leaf = texture.clone().requires_grad_()
        images = render_linear([scene], sample_views(ViewRanges(), 1, step, 8, 1), leaf, SETTINGS)
        images.sum().backward()
        assert leaf.grad is not None
        seen |= (leaf.grad > 0).all(dim=0)
    # The middle of the sheet is in view at yaw +-45; the far edges may turn away.
    assert seen[:, 10:-10].float().mean() >= 0.95


@pytest.mark.parametrize("threads", [1, 2])
def test_bits_of_images_and_gradients_do_not_depend_on_threads(scene, threads):
    def run() -> tuple[torch.Tensor, torch.Tensor]:
        texture = checks().requires_grad_()
        image = render_views([scene], sample_views(ViewRanges(image_px=64), 3, 1, 4, 1), texture)
        image.square().sum().backward()
        assert texture.grad is not None
        return image.detach(), texture.grad

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = run()
    try:
        torch.set_num_threads(threads)
        actual = run()
    finally:
        torch.set_num_threads(before)
    assert torch.equal(expected[0], actual[0]) and torch.equal(expected[1], actual[1])


def test_a_view_looks_the_same_alone_and_in_company(scene):
    views = sample_views(ViewRanges(image_px=64), 3, 1, 4, 1)
    together = render_views([scene], views, checks())
    for number, single in enumerate(views):
        assert torch.equal(render_views([scene], [single], checks())[0], together[number])


def test_corner_attributes_interpolate_positions_and_have_gradients(scene):
    fragments = rasterize(scene.vertices_mm, scene.triangles, [camera(30, 10)])
    positions = torch.from_numpy(scene.vertices_mm[scene.triangles]).double().requires_grad_()
    places = interpolate_corner_attributes(fragments, positions)
    cam = camera(30, 10)
    depth = places.detach().numpy() @ cam.R[2] + cam.T[2]
    hit = fragments.pix_to_face >= 0
    np.testing.assert_allclose(depth[hit], fragments.zbuf[hit], rtol=1e-5)
    assert (places.detach().numpy()[~hit] == 0).all()
    (gradient,) = torch.autograd.grad(places.sum(), positions)
    assert gradient.sum().item() == pytest.approx(3 * np.count_nonzero(hit), rel=1e-6)
