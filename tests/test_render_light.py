from __future__ import annotations

import numpy as np
import pytest
import torch
from render_scenes import (
    AMBIENT_ONE,
    camera,
    directional_energy_error,
    furnace_error,
    masked_scene,
    sheet_scene,
    square_corners,
    view,
)

from maskdesign.errors import InputError
from maskdesign.render.light import XYZ_TO_SRGB, Light, color_temperature_rgb
from maskdesign.render.renderer import RenderSettings, render_linear

WHITE = torch.ones(3, 8, 8)


def middle(image: torch.Tensor) -> torch.Tensor:
    return image[..., image.shape[-2] // 2, image.shape[-1] // 2]


def test_white_furnace():
    assert furnace_error() <= 1e-4


def test_white_furnace_on_the_curved_mask():
    masked, uniform = masked_scene(), view(camera(25, 5), AMBIENT_ONE)
    white, black = (render_linear([masked], [uniform], texture) for texture in (WHITE, 0 * WHITE))
    share = (white - black)[0, 0]
    # Pixels that show nothing but print reflect all the light; the others lie on an edge, or show none.
    assert share.max() <= 1 + 1e-4
    assert (share > 1 - 1e-4).float().mean() > 0.2


def test_lambert_and_a_lamp_that_stays_in_the_room():
    assert directional_energy_error() <= 1e-5


def test_a_lamp_behind_the_sheet_adds_nothing():
    lamp = Light((0.25, 0.25, 0.25), (1.0, 1.0, 1.0), (0.0, 0.0, -1.0))
    image = render_linear([sheet_scene(square_corners(60))], [view(camera(), lamp)], WHITE)
    np.testing.assert_allclose(middle(image)[0], 0.25, atol=1e-6)


def test_the_back_of_the_sheet_is_plain_and_lit_from_its_own_side():
    settings = RenderSettings(plain_back_rgb=(0.5, 0.6, 0.7))
    lamp = Light((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))
    views = [view(camera(180, distance_mm=400), lamp)]
    for texture in (WHITE, 0 * WHITE):
        image = render_linear([sheet_scene(square_corners(60))], views, texture, settings)
        np.testing.assert_allclose(middle(image)[0], [0.5, 0.6, 0.7], atol=1e-5)


def chromaticity(rgb: np.ndarray) -> tuple[float, float]:
    xyz = np.linalg.solve(XYZ_TO_SRGB, rgb)
    return xyz[0] / xyz.sum(), xyz[1] / xyz.sum()


@pytest.mark.parametrize(
    ("kelvin", "x", "y"),
    # 2856 K is CIE illuminant A; the others are points of the Planckian locus (CIE 1931, 2 degrees).
    [(2856, 0.44757, 0.40745), (4000, 0.3805, 0.3768), (5000, 0.3451, 0.3516), (6500, 0.3135, 0.3237)],
)
def test_color_temperature_against_published_chromaticities(kelvin, x, y):
    np.testing.assert_allclose(chromaticity(color_temperature_rgb(kelvin)), (x, y), atol=1.5e-3)


@pytest.mark.parametrize("kelvin", [2000, 2700, 3500, 5500, 7500, 15000])
def test_color_temperature_against_planck_and_the_observer(kelvin):
    np.testing.assert_allclose(chromaticity(color_temperature_rgb(kelvin)), planckian_xy(kelvin), atol=4e-3)


def planckian_xy(kelvin: float) -> tuple[float, float]:
    """Planck's law under the fits to the CIE 1931 observer of Wyman, Sloan and Shirley, JCGT 2(2), 2013, eq. 4."""
    nm = np.arange(380.0, 781.0)

    def lobe(height: float, center: float, below: float, above: float) -> np.ndarray:
        return height * np.exp(-0.5 * ((nm - center) * np.where(nm < center, below, above)) ** 2)

    observer = [
        lobe(0.362, 442.0, 0.0624, 0.0374) + lobe(1.056, 599.8, 0.0264, 0.0323) + lobe(-0.065, 501.1, 0.0490, 0.0382),
        lobe(0.821, 568.8, 0.0213, 0.0247) + lobe(0.286, 530.9, 0.0613, 0.0322),
        lobe(1.217, 437.0, 0.0845, 0.0278) + lobe(0.681, 459.0, 0.0385, 0.0725),
    ]
    planck = nm**-5 / np.expm1(1.438777e7 / (nm * kelvin))
    x, y, z = (float((planck * sensitivity).sum()) for sensitivity in observer)
    return x / (x + y + z), y / (x + y + z)


def test_warm_light_is_red_and_cold_light_is_blue():
    warm, cold = color_temperature_rgb(2700), color_temperature_rgb(9000)
    assert warm[0] == 1 > warm[1] > warm[2] and cold[2] == 1 > cold[0]


@pytest.mark.parametrize("kelvin", [0, 1600, 30000, float("nan")])
def test_temperatures_outside_the_fit_are_refused(kelvin):
    with pytest.raises(InputError, match=r"color temperature .* must lie between 1667 and 25000 K"):
        color_temperature_rgb(kelvin)


def test_impossible_lights_are_refused():
    with pytest.raises(InputError, match=r"light\.direction = \(0, 0, 0\) must point somewhere"):
        Light((1, 1, 1), (0, 0, 0), (0, 0, 0))
    with pytest.raises(InputError, match=r"light\.ambient_rgb = \(-1, 0, 0\)"):
        Light((-1, 0, 0), (0, 0, 0), (0, 0, 1))
