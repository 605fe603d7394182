from __future__ import annotations

import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from dlib_chips import Chip, astronaut_chip, photo_chips
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from maskdesign.recognition.align import align_faces, similarity_from_points
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.warp import warp_affine, warp_by_grid

SPEC = replace(dlib_spec(), width_px=32, height_px=40, template_px=((8.0, 12.0), (24.0, 12.0), (16.0, 30.0)))
TEMPLATE = torch.tensor(SPEC.template_px, dtype=torch.float64)


def moved_points(angle_deg: float, scale: float, x: float, y: float) -> torch.Tensor:
    """Where the template's points lie in a picture that is a turned, scaled and shifted crop; (1, 3, 2)."""
    a = np.radians(angle_deg)
    turn = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return torch.tensor(TEMPLATE.numpy() @ turn.T + [x, y])[None]


def picture(height: int, width: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).random((batch, 3, height // 8, width // 8))
    smooth = torch.nn.functional.interpolate(torch.tensor(noise), (height, width), mode="bicubic").clamp(0, 1)
    return smooth


@given(st.integers(0, 2**31), st.integers(2, 8))
def test_similarity_against_scikit_image(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    points, template = generator.normal(0, 20, (count, 2)), generator.normal(0, 20, (count, 2))
    found = similarity_from_points(torch.tensor(points)[None], torch.tensor(template))[0].numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        oracle = SimilarityTransform()
        oracle.estimate(points, template)
    # Umeyama scales by trace(D S) with S = diag(1, -1) where the best match would be a mirror image; so does this.
    np.testing.assert_allclose(found, oracle.params[:2], atol=1e-6 * max(1.0, np.abs(oracle.params).max()))


@given(st.integers(0, 2**31))
def test_similarity_never_mirrors(seed: int) -> None:
    points = torch.tensor(np.random.default_rng(seed).normal(size=(1, 5, 2)))
    mirrored = points[0] * torch.tensor([-1.0, 1.0])
    assert torch.linalg.det(similarity_from_points(points, mirrored)[0, :, :2]) >= 0


@given(st.floats(-180, 180), st.floats(0.2, 5), st.floats(-50, 50), st.floats(-50, 50))
def test_similarity_inverts_a_known_motion(angle: float, scale: float, x: float, y: float) -> None:
    points = moved_points(angle, scale, x, y)
    transform = similarity_from_points(points, TEMPLATE)[0]
    np.testing.assert_allclose((points[0] @ transform[:, :2].T + transform[:, 2]).numpy(), TEMPLATE.numpy(), atol=1e-8)


def test_similarity_gradient() -> None:
    points = torch.tensor(np.random.default_rng(0).normal(0, 10, (2, 3, 2)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: similarity_from_points(p, TEMPLATE), (points,))


def test_a_face_in_place_is_cut_out_unchanged() -> None:
    image = picture(40, 32)
    np.testing.assert_allclose(align_faces(image, TEMPLATE[None], SPEC).numpy(), image.numpy(), atol=1e-12)


def test_whole_pixel_shifts_are_exact_and_outside_is_black() -> None:
    image = picture(40, 32)
    crop = align_faces(image, TEMPLATE[None] + torch.tensor([3.0, -2.0]), SPEC)
    np.testing.assert_allclose(crop[..., 2:, :-3].numpy(), image[..., :-2, 3:].numpy(), atol=1e-12)
    assert crop[..., :2, :].abs().max() < 1e-12 and crop[..., -3:].abs().max() < 1e-12


@pytest.mark.parametrize("angle_deg", [0.0, 17.0, -60.0])
def test_crops_against_opencv(angle_deg: float) -> None:
    image = picture(96, 96)
    points = moved_points(angle_deg, 1.3, 48, 40)
    crop = align_faces(image, points, SPEC)[0].permute(1, 2, 0).numpy()
    matrix = similarity_from_points(points, TEMPLATE)[0].numpy()
    # OpenCV puts pixel centers at whole numbers.
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    oracle = cv2.warpAffine(image[0].permute(1, 2, 0).numpy(), matrix, (32, 40), flags=cv2.INTER_LINEAR)
    # OpenCV rounds its weights to 1/32 of a pixel.
    assert np.abs(crop - oracle)[4:-4, 4:-4].max() < 0.02


def test_landmarks_land_on_the_template() -> None:
    points = moved_points(25, 1.4, 50, 45)
    y, x = torch.meshgrid(torch.arange(120) + 0.5, torch.arange(120) + 0.5, indexing="ij")
    for index, place in enumerate(SPEC.template_px):
        distance = (x - points[0, index, 0]) ** 2 + (y - points[0, index, 1]) ** 2
        image = torch.exp(-distance / 18)[None, None].repeat(1, 3, 1, 1)
        crop = align_faces(image, points, SPEC)[0, 0].numpy()
        rows, columns = np.mgrid[:40, :32] + 0.5
        center = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
        np.testing.assert_allclose(center, place, atol=0.02)


@pytest.mark.parametrize(("shrink", "contrast"), [(1.6, 0), (2.0, 0), (3.3, 1 / 3), (6.1, 0), (6.7, 1 / 7)])
def test_fine_stripes_turn_gray_instead_of_aliasing(shrink: float, contrast: float) -> None:
    side = int(60 * shrink)
    image = torch.zeros(1, 3, side, side, dtype=torch.float64)
    image[..., ::2] = 1
    crop = align_faces(image, moved_points(0, shrink, 4 * shrink, 4 * shrink), SPEC)
    # The mean over an odd number n of stripes keeps 1/n of their contrast.
    assert (crop - 0.5).abs().max() <= contrast / 2 + 1e-9


@pytest.mark.parametrize("shrink", [2.0, 3.0])
def test_shrinking_does_not_shift(shrink: float) -> None:
    points = moved_points(0, shrink, 6 * shrink, 5 * shrink)
    y, x = torch.meshgrid(torch.arange(150) + 0.5, torch.arange(150) + 0.5, indexing="ij")
    distance = (x - points[0, 2, 0]) ** 2 + (y - points[0, 2, 1]) ** 2
    crop = align_faces(torch.exp(-distance / 60)[None, None].repeat(1, 3, 1, 1), points, SPEC)[0, 0].numpy()
    rows, columns = np.mgrid[:40, :32] + 0.5
    center = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    np.testing.assert_allclose(center, SPEC.template_px[2], atol=0.02)


def test_a_crop_does_not_depend_on_its_neighbors() -> None:
    images = picture(160, 160, batch=3)
    points = torch.cat([moved_points(10, scale, 60, 50) for scale in (0.8, 2.2, 1.0)])
    together = align_faces(images, points, SPEC)
    alone = torch.cat([align_faces(images[i : i + 1], points[i : i + 1], SPEC) for i in range(3)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("scale", [0.9, 2.1])
def test_gradients_to_images_and_points(scale: float) -> None:
    small = replace(SPEC, width_px=6, height_px=7, template_px=((1.5, 2.0), (4.5, 2.2), (3.1, 5.0)))
    points = (torch.tensor(small.template_px, dtype=torch.float64) * scale + 1.3)[None].requires_grad_()
    image = picture(24, 24).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, p: align_faces(i, p, small), (image, points), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("shift", [0.0, -9.3, 25.0, 1e9], ids=lambda shift: f"{shift:g}")
def test_warps_against_grid_sample(shift: float) -> None:
    """Inside, across each rim, and far outside the picture: values and both gradients."""
    generator = torch.Generator().manual_seed(3)
    images = picture(24, 32, batch=2).requires_grad_()
    places = torch.tensor([[[1.1, 0.3, shift], [-0.2, 0.9, 2.0]], [[0.8, 0.0, 1.0], [0.1, 1.2, shift]]]).double()
    places.requires_grad_()
    slope = torch.rand(2, 3, 20, 28, generator=generator, dtype=torch.float64)
    ours, oracle = (warp(images, places, 20, 28) for warp in (warp_affine, warp_by_grid))
    torch.testing.assert_close(ours, oracle)
    torch.testing.assert_close(*(torch.autograd.grad(crops, (images, places), slope) for crops in (ours, oracle)))


def test_crops_against_dlib(shared) -> None:
    chips = (astronaut_chip(), *photo_chips(shared))
    assert len(chips) >= 10
    # What differs is dlib's scale, which is up to 1 % off where a chip is larger than the face.
    assert max(difference_from_dlib(chip) for chip in chips) < 0.03


def test_the_astronaut_is_cut_out_as_dlib_does() -> None:
    assert difference_from_dlib(astronaut_chip()) < 0.03


def difference_from_dlib(chip: Chip) -> float:
    image = torch.tensor(chip.image).permute(2, 0, 1)[None].float() / 255
    # dlib counts pixel centers at whole numbers.
    crop = align_faces(image, torch.tensor(chip.points_px)[None].float() + 0.5, dlib_spec())
    return float((crop - chip.tensor).abs().mean())
