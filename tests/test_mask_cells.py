from __future__ import annotations

import tomllib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskdesign.errors import InputError, PatternError
from maskdesign.files import data_path
from maskdesign.mask.cells import (
    apply_cells,
    board_corners_mm,
    cell_quads,
    chessboard_pixels,
    fit_cells,
    worn_points_mm,
)
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sampling import sample_bilinear, sample_integer
from tests.render_scenes import curved_mask

PATTERN = MaskPattern()


def test_board_is_the_calibration_board():
    board = tomllib.loads(data_path("calibration/board_three_pleat.toml").read_text())["board"]
    corners = board_corners_mm(PATTERN)
    assert corners.shape == (board["rows"] + 1, board["columns"] + 1, 2)
    assert corners[0, 0].tolist() == board["origin_mm"]
    np.testing.assert_allclose(np.diff(corners[..., 0], axis=1), board["cell_mm"])
    np.testing.assert_allclose(np.diff(corners[..., 1], axis=0), board["cell_mm"])


def test_a_cell_larger_than_the_sheet_is_refused():
    with pytest.raises(PatternError, match="board_cell_mm = 180 is larger than the sheet"):
        board_corners_mm(MaskPattern(board_cell_mm=180.0))


def test_quads_run_around_each_cell():
    quads = cell_quads(board_corners_mm(PATTERN))
    assert quads.shape == (10, 11, 4, 2)
    np.testing.assert_allclose(quads[0, 0] - quads[0, 0, 0], [[0, 0], [15, 0], [15, 15], [0, 15]])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_an_affine_cell_is_mapped_exactly(seed):
    generator = np.random.default_rng(seed)
    target = generator.uniform(0, 500, (3, 4, 2))
    matrices = generator.normal(size=(3, 2, 3)) * [1, 1, 100]
    fitted = fit_cells(target, apply_cells(matrices, target))
    np.testing.assert_allclose(fitted.matrices, matrices, rtol=1e-6, atol=1e-6)
    assert fitted.residual.max() < 1e-8


def test_a_general_cell_gets_the_least_squares_map():
    generator = np.random.default_rng(1)
    target, source = generator.uniform(0, 50, (2, 5, 4, 2))
    fitted = fit_cells(target, source)
    for n in range(5):
        system = np.column_stack([target[n], np.ones(4)])
        solution, residual, *_ = np.linalg.lstsq(system, source[n], rcond=None)
        np.testing.assert_allclose(fitted.matrices[n], solution.T, rtol=1e-9)
        assert fitted.residual[n] == pytest.approx(np.sqrt(residual.sum() / 4))


def test_flat_or_unseen_cells_have_no_map():
    target = np.array([[[0, 0], [1, 1], [2, 2], [3, 3]], [[0, 0], [1, 0], [1, 1], [0, np.nan]]], float)
    fitted = fit_cells(target, target)
    assert np.isnan(fitted.matrices).all()
    assert np.isnan(fitted.residual).all()


def test_points_of_the_sheet_lie_on_the_worn_mask():
    worn = curved_mask()
    np.testing.assert_allclose(worn_points_mm(worn, worn.sheet_mm), worn.mesh.vertices, atol=1e-9)
    corners = worn_points_mm(worn, board_corners_mm(PATTERN))
    assert corners.shape == (11, 12, 3)
    triangle = worn.mesh.triangles[777]
    middle = worn_points_mm(worn, worn.sheet_mm[triangle].mean(0)[None])
    np.testing.assert_allclose(middle[0], worn.mesh.vertices[triangle].mean(0), atol=1e-9)


def test_chessboard_has_whole_cells_only_and_the_right_share_of_black():
    pixels = chessboard_pixels(PATTERN, px_per_mm=4.0)
    assert pixels.shape == (620, 700, 3)
    assert pixels[10, 20].tolist() == [0, 0, 0]
    assert pixels[9, 20].tolist() == pixels[10, 19].tolist() == [255, 255, 255]
    assert pixels[10, 20 + 60].tolist() == [255, 255, 255]
    assert (pixels[..., 0] == 0).sum() == 55 * 60 * 60


def slow_integer(feature: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Equation 7, sum by sum."""
    _, height, width = feature.shape
    out = np.zeros((feature.shape[0], len(places)))
    for i, (x, y) in enumerate(places):
        for n in range(height):
            for m in range(width):
                out[:, i] += feature[:, n, m] * (np.floor(x + 0.5) == m) * (np.floor(y + 0.5) == n)
    return out


def slow_bilinear(feature: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Equation 5 of Jaderberg et al., whose derivative is equation 8 of the paper, sum by sum."""
    _, height, width = feature.shape
    out = np.zeros((feature.shape[0], len(places)))
    for i, (x, y) in enumerate(places):
        for n in range(height):
            for m in range(width):
                out[:, i] += feature[:, n, m] * max(0, 1 - abs(x - m)) * max(0, 1 - abs(y - n))
    return out


@pytest.fixture
def samples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(4)
    feature = generator.normal(size=(3, 6, 8))
    # Inside, outside, on pixels and halfway between them.
    places = np.concatenate(
        [generator.uniform(-2, 9, (60, 2)), [[0, 0], [7, 5], [2.5, 1], [2, 1.5], [-0.5, 2], [7.5, 2]]]
    )
    return torch.from_numpy(feature), torch.from_numpy(places)


def test_integer_kernel_is_equation_7(samples):
    feature, places = samples
    np.testing.assert_array_equal(sample_integer(feature, places), slow_integer(feature.numpy(), places.numpy()))


def test_bilinear_kernel_is_its_slow_twin(samples):
    feature, places = samples
    slow = slow_bilinear(feature.numpy(), places.numpy())
    np.testing.assert_allclose(sample_bilinear(feature, places), slow, atol=1e-14)


@pytest.mark.parametrize("kernel", [sample_integer, sample_bilinear])
def test_gradient_with_respect_to_the_map_is_equation_8(samples, kernel):
    feature, places = samples
    weights = torch.from_numpy(np.random.default_rng(5).normal(size=(3, len(places))))
    leaf = feature.clone().requires_grad_()
    (kernel(leaf, places) * weights).sum().backward()
    slow = np.zeros(feature.shape)
    for i, (x, y) in enumerate(places.numpy()):
        for n in range(6):
            for m in range(8):
                slow[:, n, m] += weights[:, i].numpy() * max(0, 1 - abs(x - m)) * max(0, 1 - abs(y - n))
    np.testing.assert_allclose(leaf.grad, slow, atol=1e-13)


def test_bilinear_gradients_agree_with_finite_differences(samples):
    feature, places = samples
    smooth = places[:60].clone().requires_grad_()
    assert torch.autograd.gradcheck(sample_bilinear, (feature.clone().requires_grad_(), smooth), eps=1e-6, atol=1e-7)


def test_integer_kernel_moves_places_as_the_bilinear_one_does(samples):
    feature, places = samples
    gradients = []
    for kernel in (sample_integer, sample_bilinear):
        leaf = places[:60].clone().requires_grad_()
        kernel(feature, leaf).square().sum().backward() if kernel is sample_bilinear else (
            kernel(feature, leaf) * 2 * sample_bilinear(feature, places[:60])
        ).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_shape_of_the_places_is_kept():
    feature = torch.rand(2, 5, 5)
    assert sample_integer(feature, torch.rand(3, 4, 2) * 4).shape == (2, 3, 4)
    assert sample_bilinear(feature, torch.rand(3, 4, 2) * 4).shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("feature", "places", "words"),
    [
        (torch.rand(5, 5), torch.rand(3, 2), r"needs a map .C, H, W."),
        (torch.rand(1, 5, 5), torch.rand(3, 3), r"places .\.\.\., 2."),
        (torch.rand(1, 5, 5), torch.rand(3, 2).double(), "one floating type"),
        (torch.ones(1, 5, 5, dtype=torch.int64), torch.ones(3, 2, dtype=torch.int64), "one floating type"),
    ],
)
@pytest.mark.parametrize("kernel", [sample_integer, sample_bilinear])
def test_samples_that_make_no_sense_are_refused(kernel, feature, places, words):
    with pytest.raises(InputError, match=words):
        kernel(feature, places)


def test_sampling_a_chessboard_through_its_cells_gives_it_back():
    # Equation 6 then equation 7: a picture of the board made cell by cell from the sheet.
    pixels = torch.from_numpy(chessboard_pixels(PATTERN, 2.0)).permute(2, 0, 1).double() / 255
    quads = cell_quads(board_corners_mm(PATTERN))
    turn = np.radians(20)
    view = quads @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * 3 + 40
    fitted = fit_cells(view, quads)
    inner = view.mean(2, keepdims=True) + (view - view.mean(2, keepdims=True)) * 0.9
    sheet_mm = apply_cells(fitted.matrices, inner)
    colors = sample_integer(pixels, torch.from_numpy(sheet_mm * 2.0 - 0.5))[0]
    row, column = np.indices((10, 11))
    expected = ((row + column) % 2).astype(float)
    np.testing.assert_array_equal(colors, np.repeat(expected[..., None], 4, -1))
