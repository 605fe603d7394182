"""The print response is fitted, left out, inverted and handed to the design."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maskdesign.calibration.chart import load_chart
from maskdesign.calibration.color import (
    color_difference,
    fit_response,
    gamut_volume,
    icc_response,
    nonprintability,
    seen_light,
    to_print,
)
from maskdesign.errors import InputError
from maskdesign.render.color import DECODED

PATCHES = load_chart().patch_rgb


def press(rgb: np.ndarray) -> np.ndarray:
    """Four-ink halftones by the Yule-Nielsen modified Neugebauer model: nothing of the fitted form."""
    cmy = (1 - rgb / 255.0) ** 0.85
    primaries = {
        (0, 0, 0): (1, 1, 1),
        (1, 0, 0): (0.05, 0.3, 0.6),
        (0, 1, 0): (0.55, 0.04, 0.2),
        (0, 0, 1): (0.8, 0.65, 0.05),
        (1, 1, 0): (0.04, 0.03, 0.2),
        (1, 0, 1): (0.03, 0.25, 0.06),
        (0, 1, 1): (0.5, 0.03, 0.03),
        (1, 1, 1): (0.025, 0.022, 0.022),
    }
    total = np.zeros((len(rgb), 3))
    for inks, color in primaries.items():
        share = np.prod(np.where(np.array(inks), cmy, 1 - cmy), axis=1)
        total += share[:, None] * np.array(color) ** (1 / 1.8)
    return total**1.8


def test_held_out_colors_of_a_simulated_press_are_within_two_delta_e():
    rng = np.random.default_rng(11)
    fit = fit_response(PATCHES, press(PATCHES) * rng.normal(1, 0.01, (len(PATCHES), 3)))
    held_out = rng.integers(0, 256, (300, 3)).astype(np.uint8)
    error = color_difference(seen_light(fit.response, held_out), press(held_out))
    plain = color_difference(DECODED[held_out].astype(float), press(held_out))
    assert error.mean() <= 2.0 and error.mean() < plain.mean() / 5
    assert fit.error.mean() == pytest.approx(error.mean(), rel=0.6)


def test_gray_stays_what_it_is_without_a_printer_and_no_chart_is_refused():
    fit = fit_response(PATCHES, DECODED[PATCHES].astype(float))
    assert fit.error.max() < 0.1
    with pytest.raises(InputError, match="no color chart"):
        fit_response(PATCHES, np.full((len(PATCHES), 3), 0.5))


def test_inverse_prints_what_can_be_printed_and_says_what_cannot():
    fit = fit_response(PATCHES, press(PATCHES))
    sent = np.array([[120, 80, 60], [40, 150, 140], [200, 210, 90]], np.uint8)
    seen = seen_light(fit.response, sent)
    from maskdesign.render.color import srgb_encode

    wanted = (srgb_encode(torch.from_numpy(seen)).numpy() * 255).round().astype(np.uint8)
    _, left = to_print(fit.response, wanted)
    assert left.max() < 1.0
    _, beyond = to_print(fit.response, np.array([[0, 255, 0]], np.uint8))
    assert beyond[0] > 10
    assert 0 < gamut_volume(fit.response) < 8e5


def test_nonprintability_is_zero_on_the_palette_and_has_the_right_gradient():
    palette = torch.tensor([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7], [0.5, 0.1, 0.6]], dtype=torch.float64)
    assert nonprintability(palette.T[:, :, None].contiguous(), palette).item() < 1e-6
    texture = torch.rand(3, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: nonprintability(t, palette), texture)


def test_srgb_profile_is_the_identity_and_other_files_are_refused(tmp_path):
    from PIL import ImageCms

    profile = tmp_path / "printer.icc"
    profile.write_bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert icc_response(profile, PATCHES).error.mean() < 1.0
    (tmp_path / "bad.icc").write_bytes(b"no profile")
    with pytest.raises(InputError, match="ICC"):
        icc_response(tmp_path / "bad.icc", PATCHES)
