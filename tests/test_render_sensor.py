from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from render_scenes import NEUTRAL
from scipy.ndimage import gaussian_filter

from maskdesign.errors import InputError
from maskdesign.render.color import decode_pixels, srgb_decode, srgb_encode, tone_curve
from maskdesign.render.sensor import CameraResponse, apply_response, gaussian_blur, sensor_noise


def test_srgb_against_known_values():
    # IEC 61966-2-1: the knee, middle gray 188/255, and the ends.
    encoded = torch.tensor([0.0, 0.04045, 0.5, 188 / 255, 1.0], dtype=torch.float64)
    linear = torch.tensor([0.0, 0.0031308, 0.21404114, 0.50288646, 1.0], dtype=torch.float64)
    torch.testing.assert_close(srgb_decode(encoded), linear, atol=1e-7, rtol=0)
    torch.testing.assert_close(srgb_encode(linear), encoded, atol=1e-7, rtol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-7)])
def test_srgb_round_trip(dtype, tolerance):
    encoded = torch.linspace(0, 1, 4001, dtype=dtype)
    torch.testing.assert_close(srgb_encode(srgb_decode(encoded)), encoded, atol=tolerance, rtol=0)


def test_decoding_pixels_equals_decoding_values():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    expected = srgb_decode(torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    torch.testing.assert_close(decode_pixels(pixels), expected, atol=1e-6, rtol=0)


def test_gradients_of_the_curves():
    # Away from the knee and the ends, where the curves have corners.
    values = torch.tensor([0.001, 0.002, 0.01, 0.2, 0.5, 0.97], dtype=torch.float64, requires_grad=True)
    gamma = torch.tensor([[0.9], [1.0], [1.1]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: tone_curve(v.expand(3, 6), gamma), values)
    assert torch.autograd.gradcheck(srgb_decode, values)


def test_the_slope_stays_finite_at_black_and_vanishes_outside():
    values = torch.tensor([-0.5, 0.0, 1e-9, 1e-5, 1.0, 1.5], requires_grad=True)
    (slope,) = torch.autograd.grad(tone_curve(values, torch.tensor(0.9)).sum(), values)
    assert torch.isfinite(slope).all()
    assert slope[0] == 0 and slope[-1] == 0 and slope[3] > 0 and slope[4] > 0


def test_order_of_the_response_on_a_flat_field():
    response = CameraResponse(blur_sigma_px=0.0, noise_std=0.0, gain=1.5, white_balance=(0.8, 1.0, 1.2), gamma=1.1)
    image = apply_response(torch.full((1, 3, 4, 4), 0.2, dtype=torch.float64), [response], [0])
    expected = srgb_encode(torch.tensor([0.24, 0.3, 0.36], dtype=torch.float64)) ** 1.1
    torch.testing.assert_close(image[0, :, 1, 1], expected, atol=1e-12, rtol=0)


def test_noise_comes_after_gain_and_before_white_balance():
    response = replace(NEUTRAL, noise_std=0.02, gain=0.5, white_balance=(0.5, 1.0, 2.0))
    linear = torch.full((1, 3, 64, 64), 0.4, dtype=torch.float64)
    balanced = srgb_decode(apply_response(linear, [response], [11]))
    noise = sensor_noise((3, 64, 64), [response], [11]).double()
    expected = (0.2 + noise) * torch.tensor([0.5, 1, 2]).double()[:, None, None]
    torch.testing.assert_close(balanced, expected, atol=1e-6, rtol=0)


def test_noise_has_its_deviation_and_hangs_on_its_seed_alone():
    responses = [replace(NEUTRAL, noise_std=s) for s in (0.02, 0.0, 0.05)]
    noise = sensor_noise((3, 100, 100), responses, [1, 2, 1])
    assert noise[0].std().item() == pytest.approx(0.02, rel=0.02)
    assert (noise[1] == 0).all()
    assert abs(noise[0].mean().item()) < 5 * 0.02 / np.sqrt(30000)
    torch.testing.assert_close(noise[2] / 0.05, noise[0] / 0.02, atol=1e-5, rtol=0)
    assert not torch.equal(sensor_noise((3, 9, 9), responses[:1], [3]), sensor_noise((3, 9, 9), responses[:1], [4]))


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.2, 3.0])
def test_blur_equals_scipy_inside_the_picture(sigma):
    image = torch.rand(1, 3, 40, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    radius = int(np.ceil(3 * sigma))
    expected = gaussian_filter(image[0, 1].numpy(), sigma, radius=radius, mode="constant")
    actual = gaussian_blur(image, [sigma])[0, 1].numpy()
    inside = (slice(radius, -radius), slice(radius, -radius))
    np.testing.assert_allclose(actual[inside], expected[inside], atol=1e-12)


def test_blur_keeps_flat_fields_and_leaves_sharp_images_alone():
    flat = torch.full((2, 3, 9, 5), 0.3)
    torch.testing.assert_close(gaussian_blur(flat, [1.2, 4.0]), flat, atol=1e-6, rtol=0)
    image = torch.rand(1, 3, 9, 9)
    assert torch.equal(gaussian_blur(image, [0.0]), image)


def test_gradient_of_the_blur():
    image = torch.rand(2, 3, 6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: gaussian_blur(x, [0.7, 2.5]), image)


def test_overexposed_pixels_are_white_and_have_no_gradient():
    linear = torch.tensor([0.5, 3.0]).expand(1, 3, 1, 2).clone().requires_grad_()
    image = apply_response(linear, [NEUTRAL], [0])
    assert 1 - 1e-6 <= image[0, 0, 0, 1] <= 1
    (gradient,) = torch.autograd.grad(image.sum(), linear)
    assert (gradient[..., 1] == 0).all() and (gradient[..., 0] > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blur_sigma_px": -1}, "camera blur_sigma_px = -1 must lie between 0 and 10"),
        ({"noise_std": 0.6}, "camera noise_std = 0.6 must lie between 0 and 0.5"),
        ({"gain": 0}, "camera gain = 0 must lie between 0.01 and 100"),
        ({"gamma": float("nan")}, "camera gamma = nan must lie between 0.2 and 5"),
        ({"white_balance": (1, 0, 1)}, r"camera white_balance = \(1, 0, 1\) must lie between 0.05 and 20"),
    ],
)
def test_responses_outside_their_range_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(NEUTRAL, **change)
