"""sRGB and linear light (IEC 61966-2-1), differentiable."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

KNEE_ENCODED = 0.04045
KNEE_LINEAR = 0.0031308
DARKEST = 1e-4
"""Below this encoded value, a fortieth of an 8-bit step, `tone_curve` reports a smaller slope: that of a power below 1
has no bound at 0."""


def srgb_decode(encoded: Tensor) -> Tensor:
    """Linear light of sRGB values.

    Args:
        encoded: any shape, [0, 1].

    Returns:
        the same shape, [0, 1].
    """
    return _Decode.apply(encoded)  # type: ignore[return-value]


def srgb_encode(linear: Tensor) -> Tensor:
    """The sRGB values of linear light.

    Args:
        linear: any shape, [0, 1].

    Returns:
        the same shape, [0, 1]; the derivative is finite at 0.
    """
    return tone_curve(linear, torch.ones((), dtype=linear.dtype))


def tone_curve(linear: Tensor, gamma: Tensor) -> Tensor:
    """The sRGB encoding and then a power, as one curve with its derivative in closed form.

    Args:
        linear: any shape; values outside [0, 1] are cut off and have no gradient.
        gamma: exponent of the encoded value, > 0, broadcast against `linear`; not differentiated.

    Returns:
        the shape of `linear`, [0, 1].
    """
    return _ToneCurve.apply(linear, gamma)  # type: ignore[return-value]


class _Decode(torch.autograd.Function):
    # Written out because log and exp are far faster than powers, and the gradient needs no further ones.
    @staticmethod
    def forward(ctx: Any, encoded: Tensor) -> Tensor:
        power = encoded.clamp_min(KNEE_ENCODED).add_(0.055).div_(1.055).log_().mul_(2.4).exp_()
        dark = encoded <= KNEE_ENCODED
        ctx.save_for_backward(encoded, power, dark)
        return torch.where(dark, encoded / 12.92, power)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        encoded, power, dark = ctx.saved_tensors
        slope = (power * 2.4).div_(encoded + 0.055).masked_fill_(dark, 1 / 12.92)
        return slope.mul_(gradient)


class _ToneCurve(torch.autograd.Function):
    # In place wherever it can be: fresh memory costs as much as the arithmetic.
    @staticmethod
    def forward(ctx: Any, linear: Tensor, gamma: Tensor) -> Tensor:
        output = linear.clamp(0, 1)
        encoded = output * 12.92
        curve = output.clamp_min_(KNEE_LINEAR).log_().mul_(1 / 2.4).exp_().mul_(1.055).sub_(0.055)
        # Held at its knee, the curve lies above the line exactly where the line counts.
        torch.minimum(curve, encoded, out=encoded)
        torch.log(encoded, out=output).mul_(gamma).exp_().clamp_max_(1)
        ctx.save_for_backward(linear, encoded, output, gamma)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        linear, encoded, output, gamma = ctx.saved_tensors
        slope = torch.empty(linear.shape, dtype=linear.dtype)
        x, e, out, g, above = (
            part.reshape(-1).numpy() for part in (linear, encoded, output, gamma.expand(linear.shape), gradient)
        )
        _tone_slope(x, e, out, g, above, slope.view(-1).numpy())
        return slope, None


@njit(cache=True, nogil=True, error_model="numpy")
def _tone_slope(linear, encoded, output, gamma, gradient, slope):
    # One pass over what would be fourteen: they cost more than the logarithms of the way forward.
    for n in range(len(linear)):
        x, held = linear[n], max(encoded[n], DARKEST)
        bend = (encoded[n] + 0.055) / (2.4 * x) if x > KNEE_LINEAR else 12.92
        inside = 0 <= x <= 1
        slope[n] = bend * output[n] * gamma[n] / held * gradient[n] if inside else 0


DECODED: NDArray[np.float32] = srgb_decode(torch.arange(256, dtype=torch.float64) / 255).float().numpy()
"""Linear light of each 8-bit sRGB value."""


def decode_pixels(pixels: NDArray[np.uint8]) -> Tensor:
    """Linear light of a picture.

    Args:
        pixels: (H, W, 3) uint8 sRGB.

    Returns:
        (3, H, W) float32 in [0, 1].
    """
    return torch.from_numpy(DECODED[pixels]).permute(2, 0, 1).contiguous()
