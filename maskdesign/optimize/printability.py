"""How far a texture is from colors that a printer can print: the non-printability score.

Source: Sharif, Bhagavatula, Bauer and Reiter, Accessorize to a Crime, 2016, section 5; in the form of Thys, Van Ranst
and Goedeme, 2019: the mean distance of each pixel's color to the nearest printable one.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

LEVELS = (0.12, 0.53, 0.93)
PULL = 0.15


def printable_colors() -> Tensor:
    """(27, 3) sRGB: what an office printer is taken to reach; nobody's printer was measured.

    Three levels a channel between its black and its paper, pulled by 15 % towards gray as mixed inks are.
    """
    colors = torch.tensor(list(itertools.product(LEVELS, repeat=3)))
    return (1 - PULL) * colors + PULL * colors.mean(dim=1, keepdim=True)


def non_printability(texture: Tensor) -> Tensor:
    """Mean distance of a texel's color to the nearest printable one, in units of sRGB; 0 = printable.

    Args:
        texture: (3, h, w) sRGB in [0, 1].
    """
    apart = texture.flatten(1).T[:, None] - printable_colors().to(texture)
    # The small constant keeps the gradient finite on a printable color.
    return (apart.square().sum(dim=2) + 1e-8).sqrt().amin(dim=1).mean()
