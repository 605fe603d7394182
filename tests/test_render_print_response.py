"""Printed color: identity, the root polynomial's law, gradients, and what is refused."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch
from render_scenes import camera, checks, masked_scene, view

from maskdesign.config import from_mapping, to_toml
from maskdesign.errors import ConfigError
from maskdesign.jobs.config import JobConfig
from maskdesign.render.color import srgb_decode, srgb_encode
from maskdesign.render.print_response import PrintResponse, printed_color
from maskdesign.render.renderer import RenderSettings, render_linear, render_views

ROOTS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))


def random_response(seed: int, exponents=ROOTS) -> PrintResponse:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0, 0.4, (len(exponents), 3))
    return PrintResponse(exponents, tuple(tuple(map(float, row)) for row in rows))


def random_texture(seed: int, dtype=torch.float64) -> torch.Tensor:
    return torch.rand(3, 5, 7, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def test_by_default_colors_stay_as_they_are():
    texture = random_texture(0, torch.float32)
    assert torch.equal(printed_color(PrintResponse(), texture), srgb_decode(texture))


def test_it_is_the_sum_of_its_terms():
    response, texture = random_response(1, (*ROOTS, (0, 0, 0), (2, 1, 0))), random_texture(1)
    r, g, b = srgb_decode(texture).numpy()
    expected = sum(
        np.array(c)[:, None, None] * r**e0 * g**e1 * b**e2
        for (e0, e1, e2), c in zip(response.exponents, response.coefficients, strict=True)
    )
    np.testing.assert_allclose(printed_color(response, texture).numpy(), expected, rtol=1e-12)


def test_roots_see_twice_the_light_as_twice_the_light():
    linear = 0.5 * random_texture(2)
    once, twice = (printed_color(random_response(2), srgb_encode(k * linear)) for k in (1, 2))
    torch.testing.assert_close(twice, 2 * once, rtol=1e-9, atol=1e-12)


def test_gradient_against_differences_and_its_bound_at_black():
    response = random_response(3)
    texture = (0.1 + 0.8 * random_texture(3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: printed_color(response, t), texture, eps=1e-6, atol=1e-6)
    black = torch.zeros(3, 2, 2, requires_grad=True)
    printed_color(response, black).sum().backward()
    assert black.grad is not None and torch.isfinite(black.grad).all()


def test_ink_never_sends_back_less_than_nothing():
    response = PrintResponse(((1.0, 0.0, 0.0), (0.0, 0.0, 0.0)), ((1.0, 1.0, 1.0), (-0.2, -0.2, -0.2)))
    assert printed_color(response, torch.zeros(3, 1, 1)).min() == 0


def test_pictures_show_the_printed_color():
    scene, views, texture = masked_scene(24), [view(camera(10))], checks()
    response = random_response(4)
    settings = RenderSettings(1, print_response=response)
    shown = render_views([scene], views, texture, settings)
    linear = render_linear([scene], views, printed_color(response, texture), settings)
    torch.testing.assert_close(shown, srgb_encode(linear.clamp(0, 1)), atol=1e-6, rtol=0)
    plain = render_views([scene], views, texture, replace(settings, print_response=PrintResponse()))
    assert (shown - plain).abs().max() > 0.05


def test_a_configuration_carries_it():
    config = replace(JobConfig(), render=RenderSettings(print_response=random_response(5)))
    assert from_mapping(JobConfig, tomllib.loads(to_toml(config))) == config


@pytest.mark.parametrize(
    ("exponents", "coefficients", "message"),
    [
        ((), (), "has 0 rows of exponents and 0 of coefficients"),
        (ROOTS, ROOTS[:2], "has 6 rows of exponents and 2 of coefficients"),
        (ROOTS * 11, ROOTS * 11, "has 66 rows"),
        (((1, 0, -1),), ((1, 1, 1),), r"exponents = \(\(1, 0, -1\),\) must lie between 0 and 8"),
        (((1, 0, float("nan")),), ((1, 1, 1),), "must lie between 0 and 8"),
        (((1, 0, 0),), ((1, float("inf"), 1),), "coefficients = .* must be finite"),
    ],
)
def test_bad_tables_are_refused(exponents, coefficients, message):
    with pytest.raises(ConfigError, match=message):
        PrintResponse(exponents, coefficients)
