"""Lens distortion, motion blur and JPEG: oracles, gradients, ranges."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from render_scenes import NEUTRAL
from scipy.ndimage import uniform_filter1d

from maskdesign.errors import ConfigError, InputError
from maskdesign.render.distribution import ViewRanges, sample_views
from maskdesign.render.jpeg import compress
from maskdesign.render.lens import distort, motion_blur, motion_kernel, undistorted_radius
from maskdesign.render.sensor import apply_response


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def smooth_picture(side: int) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    return (0.5 + 0.4 * torch.sin(columns / 7) * torch.cos(rows / 9)).double().expand(1, 3, -1, -1)


@pytest.mark.parametrize("strength", [-0.1, -0.03, 0.05, 0.1])
def test_distortion_equals_opencv(strength):
    height, width = 48, 60
    half = min(height, width) / 2
    K = np.array([[half, 0, width / 2 - 0.5], [0, half, height / 2 - 0.5], [0, 0, 1]])
    picture = noise(1, 3, height, width)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    pixels = np.stack([columns, rows], -1).reshape(-1, 1, 2)
    # OpenCV iterates a fixed point, which needs many rounds in the corners.
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-12)
    sources = cv2.undistortPointsIter(pixels, K, np.array([strength, 0, 0, 0, 0.0]), None, K, stop).astype(np.float32)
    sources = sources.reshape(height, width, 2)
    inside = np.hypot(columns - K[0, 2], rows - K[1, 2]) < 1.05 * half
    expected = cv2.remap(
        picture[0, 0].numpy(), sources[..., 0], sources[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    actual = distort(picture, [strength])[0, 0].numpy()
    # OpenCV interpolates in steps of 1/32 pixel.
    np.testing.assert_allclose(actual[inside], expected[inside], atol=0.04)
    assert np.abs(actual - expected)[inside].mean() < 0.01


@pytest.mark.parametrize("strength", [-0.1, -0.02, 0.1])
def test_the_inverse_of_the_distortion(strength):
    radius = np.linspace(0, 0.85, 50)
    np.testing.assert_allclose(undistorted_radius(radius * (1 + strength * radius**2), strength), radius, atol=1e-9)


def test_a_point_at_half_the_side_moves_by_its_share():
    picture = torch.zeros(1, 1, 101, 101, dtype=torch.float64)
    # 40.4 pixels from the middle are 0.8 of half the side: 0.1 x 0.8^2 moves them by 2.6 pixels outwards.
    picture[0, 0, 50, 90:92] = torch.tensor([0.6, 0.4])
    moved = distort(picture, [0.1])[0, 0, 50]
    center = (moved * (torch.arange(101) - 50)).sum() / moved.sum()
    assert center.item() == pytest.approx(40.4 * (1 + 0.1 * 0.8**2), abs=0.1)


def test_no_distortion_and_no_motion_leave_a_picture_as_it_is():
    pictures = noise(2, 3, 9, 9)
    assert distort(pictures, [0, 0]) is pictures and motion_blur(pictures, [0, 0], [0, 30]) is pictures
    assert torch.equal(distort(pictures, [0, 0.1])[0], pictures[0])
    torch.testing.assert_close(motion_blur(pictures, [0, 4], [0, 30])[0], pictures[0])


@pytest.mark.parametrize("length_px", [3, 5, 9])
@pytest.mark.parametrize("angle_deg", [0, 90, 180])
def test_level_motion_is_a_box_whose_ends_are_halves(length_px, angle_deg):
    picture = noise(1, 3, 40, 44)
    # A point that moves by n pixels, spread bilinearly: a box of n and the two pixels next to it by half.
    axis = 0 if angle_deg == 90 else 1
    box = uniform_filter1d(picture[0, 1].numpy(), length_px, axis=axis)
    expected = 0.125 * (np.roll(box, 1, axis) + np.roll(box, -1, axis)) + 0.75 * box
    actual = motion_blur(picture, [length_px], [angle_deg])[0, 1].numpy()
    inside = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(actual[inside], expected[inside], atol=2e-3)


@pytest.mark.parametrize(("length_px", "angle_deg"), [(0.4, 10), (7, 30), (12.5, 130), (40, 45)])
def test_motion_kernels_have_the_moments_of_a_line(length_px, angle_deg):
    kernel = motion_kernel(length_px, angle_deg)
    assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(offsets, -offsets)
    assert abs((kernel * x).sum()) < 1e-9 and abs((kernel * y).sum()) < 1e-9
    angle = np.radians(angle_deg)
    covariance = (kernel * x * y).sum()
    # A line's variance is length^2 / 12; bilinear spreading adds to x and y alone.
    assert covariance == pytest.approx(length_px**2 / 12 * np.sin(angle) * np.cos(angle), rel=0.02, abs=0.005)


def test_motion_keeps_flat_fields_up_to_the_border():
    flat = torch.full((1, 3, 12, 9), 0.3, dtype=torch.float64)
    torch.testing.assert_close(motion_blur(flat, [11.0], [35.0]), flat)


def test_gradients_of_lens_and_motion():
    picture = noise(1, 2, 6, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: motion_blur(distort(x, [-0.1]), [3.3], [20.0]), picture)


def test_jpeg_is_close_at_high_quality_and_coarser_at_low():
    picture = smooth_picture(64)
    errors = [(compress(picture, [quality]) - picture).abs().mean().item() for quality in (98, 60, 10)]
    assert errors[0] < 0.006 and errors[0] < errors[1] < errors[2] < 0.05


def test_jpeg_equals_what_a_file_holds():
    picture = noise(1, 3, 32, 40)
    stored = compress(picture, [70])
    pixels = (picture[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    _, file = cv2.imencode(
        ".jpg",
        pixels[..., ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, 70, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420],
    )
    expected = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
    difference = np.abs((stored[0].permute(1, 2, 0).numpy() * 255).round() - expected)
    # Two builds of libjpeg round differently.
    assert difference.mean() < 1 and np.mean(difference > 8) < 0.01


def test_the_gradient_passes_straight_through_jpeg():
    picture = noise(2, 3, 16, 16).requires_grad_()
    weights = noise(2, 3, 16, 16)
    (gradient,) = torch.autograd.grad((compress(picture, [40, 0]) * weights).sum(), picture)
    assert torch.equal(gradient, weights)
    assert torch.equal(compress(picture, [40, 0])[1], picture[1])


def test_the_order_of_the_response():
    response = replace(NEUTRAL, gain=0.8, distortion=0.1, motion_px=5.0, motion_deg=40.0, jpeg_quality=80)
    linear = 0.2 + 0.5 * smooth_picture(48)
    image = apply_response(linear, [response], [0])
    moved = motion_blur(distort(linear, [0.1]), [5.0], [40.0])
    expected = compress(apply_response(moved, [replace(NEUTRAL, gain=0.8)], [0]), [80])
    torch.testing.assert_close(image, expected, atol=1e-12, rtol=0)


def test_views_have_none_of_it_by_default():
    for shown in sample_views(ViewRanges(), 3, 2, 16, 1):
        assert (shown.response.motion_px, shown.response.distortion, shown.response.jpeg_quality) == (0, 0, 0)


def test_ranges_of_the_views_are_filled_and_change_nothing_else():
    ranges = ViewRanges(motion_px=(1, 4), distortion=(-0.1, 0.05), jpeg_share=0.5, jpeg_quality=(40, 90))
    views = [v for step in range(20) for v in sample_views(ranges, 1, step, 16, 2)]
    plain = [v for step in range(20) for v in sample_views(ViewRanges(), 1, step, 16, 2)]
    motion, angle, bend, quality = (
        np.array([getattr(v.response, name) for v in views])
        for name in ("motion_px", "motion_deg", "distortion", "jpeg_quality")
    )
    assert 1 <= motion.min() < 1.1 and 3.9 < motion.max() <= 4
    assert 0 <= angle.min() < 4 and 176 < angle.max() <= 180
    assert -0.1 <= bend.min() < -0.097 and 0.047 < bend.max() <= 0.05
    stored = quality > 0
    # 320 coins: 0.41 to 0.59 are more than three standard deviations.
    assert 0.41 < stored.mean() < 0.59
    assert 40 <= quality[stored].min() < 43 and 87 < quality[stored].max() <= 90
    for ours, theirs in zip(views, plain, strict=True):
        same = replace(ours.response, motion_px=0, motion_deg=theirs.response.motion_deg, distortion=0, jpeg_quality=0)
        assert same == theirs.response and ours.light == theirs.light and ours.noise_seed == theirs.noise_seed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"motion_px": 41}, "camera motion_px = 41 must lie between 0 and 40"),
        ({"distortion": 0.3}, "camera distortion = 0.3 must lie between -0.1 and 0.1"),
        ({"jpeg_quality": 101}, "camera jpeg_quality = 101 must lie between 0 and 100"),
    ],
)
def test_effects_outside_their_range_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(NEUTRAL, **change)


@pytest.mark.parametrize("change", [{"motion_px": (0, 50)}, {"jpeg_share": 1.5}, {"distortion": (-0.2, 0)}])
def test_ranges_of_effects_are_refused(change):
    with pytest.raises(ConfigError, match=f"views.{next(iter(change))}"):
        ViewRanges(**change)
