"""Control textures: what a designed one has to beat before it may be said to do anything."""

from __future__ import annotations

import torch
from torch import Tensor

from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.texture import TextureStyle, grid_shape, initial_parameters, texture_from_parameters

PLAIN_COLORS = {"plain white": (0.95, 0.95, 0.95), "plain blue": (0.55, 0.75, 0.88)}
RANDOM_CONTROL_SEED = 20_201


def control_textures(style: TextureStyle, pattern: MaskPattern) -> dict[str, Tensor]:
    """Plain white, plain blue (the common surgical color), and a random pattern of the design's own inks and grid.

    Returns:
        name -> (3, h, w) sRGB in [0, 1].
    """
    height, width = grid_shape(pattern, style.print_texel_mm)
    plain = {name: torch.tensor(rgb)[:, None, None].expand(3, height, width) for name, rgb in PLAIN_COLORS.items()}
    return {**plain, "random": random_texture(style, pattern)}


def random_texture(style: TextureStyle, pattern: MaskPattern) -> Tensor:
    """Strong random parameters through the design's own style: the same inks, grid and contrast, no purpose."""
    # A spread of 3 mixes the inks about as purely as a finished design does.
    parameters = 3 * initial_parameters(style, pattern, RANDOM_CONTROL_SEED) / style.noise
    return texture_from_parameters(style, pattern, parameters, style.print_texel_mm)


def upside_down(texture: Tensor) -> Tensor:
    """The texture turned by 180 degrees: the same colors and contrast, another structure."""
    return texture.flip(1, 2)
