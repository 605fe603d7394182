"""A sheet without large shapes: what is larger than a length is gone, what is smaller stays."""

import pytest
import torch

from maskdesign.errors import ConfigError
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.texture import (
    TextureStyle,
    initial_parameters,
    texture_from_parameters,
    without_large_shapes,
)


def test_large_shapes_are_taken_out_and_small_ones_stay():
    rows, columns = torch.meshgrid(torch.arange(62.0), torch.arange(70.0), indexing="ij")
    large, small = torch.sin(rows / 62 * 2)[None], torch.sin(rows * 1.6 + columns * 1.1)[None]
    assert without_large_shapes(large, 0.2).std() < 0.15 * large.std()
    assert without_large_shapes(small, 0.2).std() > 0.9 * small.std()


def test_the_print_keeps_even_areas_nowhere():
    pattern = MaskPattern()
    style = TextureStyle(repeats=(1, 1), largest_mm=25.0)
    noise = initial_parameters(style, pattern, 3)
    biased = noise.clone()
    biased[0] += 2.0
    shown = [texture_from_parameters(style, pattern, one, style.texel_mm) for one in (noise, biased)]
    torch.testing.assert_close(*shown, atol=1e-4, rtol=0)
    assert shown[0].std() > 0.05


def test_a_length_below_the_grid_is_refused():
    with pytest.raises(ConfigError, match="largest_mm = 3"):
        TextureStyle(largest_mm=3.0)
