"""XOR as a layer: affine in the operand's bits, so that gradients are exact and the output is the XOR itself."""

from __future__ import annotations

import torch
from torch import Tensor


def xor_affine(pixels: Tensor, bits: Tensor) -> Tensor:
    """Pixels XOR operand, as x + sum_i b_i (1 - 2 bit_i(x)) 2^i for the operand's bits b_i.

    For bits of 0 and 1 this is the XOR exactly; between them it is its multilinear extension. The change is never
    larger than the operand, |x XOR n - x| <= n, so a bound on the bits that exist is a bound on what is seen.

    Args:
        pixels: (...) whole numbers in [0, 255].
        bits: (k, ...) in [0, 1], the lowest first; k <= 8.

    Returns:
        (...), differentiable with respect to `bits`.
    """
    places = 2.0 ** torch.arange(len(bits), dtype=pixels.dtype).reshape(-1, *[1] * pixels.ndim)
    present = (pixels / places).floor() % 2
    return pixels + (bits * (1 - 2 * present) * places).sum(dim=0)


def whole_bits(logits: Tensor) -> Tensor:
    """Bits of 0 and 1 with the gradient of the sigmoid (straight-through estimator, Bengio et al. 2013)."""
    soft = torch.sigmoid(logits)
    return soft + ((logits > 0).to(soft.dtype) - soft).detach()
