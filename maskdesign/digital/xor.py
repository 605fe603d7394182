"""XOR as the last layer of a network: its output is the photo XOR an operand exactly, with a gradient to the change."""

from __future__ import annotations

import torch
from torch import Tensor


def bit_bounds(pixels: Tensor, low_bits: int) -> tuple[Tensor, Tensor]:
    """What a pixel can become by XOR with an operand below 2 ** low_bits: every value of its own aligned block.

    Args:
        pixels: any shape, in [0, 255].

    Returns:
        lowest and highest value of the block.
    """
    block = 2.0**low_bits
    low = (pixels / block).floor() * block
    return low, (low + block - 1).clamp(max=255)


def xor_towards(pixels: Tensor, change: Tensor, low_bits: int) -> Tensor:
    """Pixels XOR the operand below 2 ** low_bits that brings them nearest to pixels + change.

    The operand is pixels XOR result, so that any result within the block is one XOR away, and the paper's form of the
    layer is a bound on the result. Its own differentiable form, affine in the operand's bits, is exact as well; there
    the direction in which a bit moves a pixel depends on that pixel's own bit.

    Args:
        pixels: (...) whole numbers in [0, 255].
        change: (...) in gray levels.

    Returns:
        (...) whole numbers in [0, 255]; the gradient is that of pixels + change, straight through the rounding
        (Bengio et al. 2013), and 0 where the block ends.
    """
    low, high = bit_bounds(pixels, low_bits)
    wanted = torch.minimum(torch.maximum(pixels + change, low), high)
    return wanted + (wanted.round() - wanted).detach()
