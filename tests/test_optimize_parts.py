"""Parts of the core against oracles: Adam, the objective's gradients, textures, checkpoints, the journal."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.autograd import gradcheck
from torch.nn import functional

from maskdesign.errors import RunError
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.checkpoint import load_tensors, save_tensors
from maskdesign.optimize.loop import append_journal, load_state, read_journal, save_state, truncate_journal
from maskdesign.optimize.objective import ObjectiveSettings, attention_weights, hinge, objective, total_variation
from maskdesign.optimize.step import DesignSettings, DesignState, adam_update, learning_rate_at
from maskdesign.optimize.texture import (
    TextureStyle,
    bicubic,
    half_drop,
    initial_parameters,
    ink_colors,
    texture_from_parameters,
    texture_pixels,
    texture_tensor,
)

PATTERN = MaskPattern()


def test_adam_is_torchs_adam():
    torch.manual_seed(0)
    target = torch.randn(4, 5, dtype=torch.float64)
    theirs = torch.zeros_like(target).requires_grad_(True)
    optimizer = torch.optim.Adam([theirs], lr=0.1)
    ours, first, second = theirs.detach().clone(), torch.zeros_like(target), torch.zeros_like(target)
    for count in range(1, 30):
        optimizer.zero_grad()
        ((theirs - target) ** 2).sum().backward()
        optimizer.step()
        ours, first, second = adam_update(ours, 2 * (ours - target), first, second, count, 0.1)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-12)


def test_learning_rate_falls_geometrically_between_its_ends():
    design = DesignSettings(steps=11, learning_rate=0.2, final_learning_rate=0.02)
    rates = [learning_rate_at(design, step) for step in range(11)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.02)
    np.testing.assert_allclose(np.diff(np.log(rates)), math.log(0.1) / 10)


def test_hinge_is_flat_where_safe_and_linear_where_recognized():
    margins = torch.tensor([-30.0, 30.0], dtype=torch.float64)
    low, high = hinge(margins, ObjectiveSettings(slack=0.3)).tolist()
    assert low == pytest.approx(0, abs=1e-12)
    assert high == pytest.approx(30.3)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.floats(0, 5))
def test_attention_is_a_distribution_that_heeds_the_worst(losses, temperature):
    values = torch.tensor(losses, dtype=torch.float64)
    weights = attention_weights(values, temperature)
    assert weights.sum().item() == pytest.approx(1)
    assert weights[values.argmax()].item() == pytest.approx(weights.max().item())


def test_total_variation_closed_form():
    flat = torch.full((3, 6, 8), 0.4, dtype=torch.float64)
    ramp = torch.linspace(0, 0.7, 8, dtype=torch.float64).expand(1, 6, 8)
    assert total_variation(flat).item() == pytest.approx(1e-3)
    assert total_variation(ramp).item() == pytest.approx(math.sqrt(0.1**2 + 1e-6))


def test_objective_gradient_against_differences():
    torch.manual_seed(1)
    margins = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    texture = torch.rand(3, 4, 5, dtype=torch.float64, requires_grad=True)
    # Equal weights: with attention the weights are constants, so differences would see more than the gradient.
    assert gradcheck(lambda m, t: objective(m, t, ObjectiveSettings(worst_weight=0)), (margins, texture))


def test_texture_gradient_against_differences():
    pattern = MaskPattern(width_mm=20, height_mm=40, pleat_rows_mm=(10.0,), pleat_depth_mm=5.0, nose_v_mm=5.0)
    style = TextureStyle(grid_mm=10, texel_mm=5)
    parameters = initial_parameters(style, pattern, 3).double().requires_grad_(True)
    assert gradcheck(lambda p: texture_from_parameters(style, pattern, p, 5), (parameters,))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.1, 30))
def test_every_texel_is_a_mix_of_the_inks(seed, scale):
    style = TextureStyle()
    texture = texture_from_parameters(style, PATTERN, scale * initial_parameters(style, PATTERN, seed), 5)
    inks = ink_colors(style)
    assert texture.shape == (3, 31, 35)
    assert (texture >= inks.min(0).values[:, None, None] - 1e-6).all()
    assert (texture <= inks.max(0).values[:, None, None] + 1e-6).all()


@pytest.mark.parametrize("shape", [(9, 14), (5, 3), (31, 36)])
def test_bicubic_is_torchs_interpolation(shape):
    values = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    expected = functional.interpolate(values[None], size=(40, 57), mode="bicubic", align_corners=False)[0]
    found, weights = bicubic(values, (40, 57)), torch.linspace(-1, 1, 57, dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(*(torch.autograd.grad((x * weights).sum(), values)[0] for x in (found, expected)))


def test_half_drop_repeats_and_shifts_every_other_column():
    one = torch.arange(24.0).reshape(1, 4, 6)
    cloth = half_drop(one, (3, 2))
    assert cloth.shape == (1, 8, 18)
    assert torch.equal(cloth[:, :4, :6], one)
    assert torch.equal(cloth[:, 2:6, 6:12], one)
    assert torch.equal(cloth[:, 4:, 12:], one)
    assert torch.equal(half_drop(one, (1, 1)), one)


def test_finer_sampling_is_the_same_pattern():
    style = TextureStyle(texel_mm=1.25)
    parameters = initial_parameters(style, PATTERN, 4)
    coarse = texture_from_parameters(style, PATTERN, parameters, 1.25)
    fine = texture_from_parameters(style, PATTERN, parameters, 0.3125)
    averaged = torch.nn.functional.avg_pool2d(fine, 4)
    assert (averaged - coarse).abs().mean() < 0.02


def test_seed_alone_decides_the_start():
    style = TextureStyle()
    torch.testing.assert_close(initial_parameters(style, PATTERN, 5), initial_parameters(style, PATTERN, 5))
    assert not torch.equal(initial_parameters(style, PATTERN, 5), initial_parameters(style, PATTERN, 6))


def test_pixels_and_tensors_are_inverse():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(texture_pixels(texture_tensor(pixels)), pixels)


def random_state(step: int = 4) -> DesignState:
    torch.manual_seed(2)
    tensors = [torch.randn(2, 3, 4) for _ in range(4)]
    return DesignState(*tensors, best_loss=0.1 + 1e-17, step=step)


def test_checkpoint_keeps_every_bit(tmp_path):
    path, state = tmp_path / "checkpoint.safetensors", random_state()
    save_state(path, state, "job")
    again = load_state(path, "job")
    assert again is not None
    assert (again.step, again.best_loss) == (state.step, state.best_loss)
    for name in ("parameters", "first_moment", "second_moment", "best_parameters"):
        assert torch.equal(getattr(again, name), getattr(state, name))


def test_no_checkpoint_is_no_state(tmp_path):
    assert load_state(tmp_path / "absent", "job") is None


def test_checkpoint_of_another_job_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_state(path, random_state(), "job")
    with pytest.raises(RunError, match="belongs to another job; name another folder with --out"):
        load_state(path, "other")


def test_foreign_safetensors_are_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_file({"parameters": torch.zeros(2)}, path)
    with pytest.raises(RunError, match="does not match its digest"):
        load_tensors(path, "job")


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_tensors(path, {"x": torch.arange(8.0)}, "job")
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(RunError):
            load_tensors(path, "job")
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(RunError):
            load_tensors(path, "job")


def test_journal_survives_a_torn_line_and_drops_what_will_be_done_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step in range(1, 6):
        append_journal(path, {"step": step, "loss": 1 / step})
    with path.open("a") as stream:
        stream.write('{"step": 6, "lo')
    assert [line["step"] for line in read_journal(path)] == [1, 2, 3, 4, 5]
    truncate_journal(path, 3)
    assert [line["step"] for line in read_journal(path)] == [1, 2, 3]
