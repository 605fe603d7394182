"""PReLU, the activation of every face network of the ArcFace family, with a backward pass for frozen slopes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """Slope times x where x is negative, x elsewhere; `slope` broadcasts against `x` and gets no gradient."""
    if slope.numel() == 1:
        return functional.leaky_relu(x, slope.item())
    return _FrozenPrelu.apply(x, slope)


class _FrozenPrelu(torch.autograd.Function):
    """torch's own backward pass also computes a gradient for each slope, several times the work of this one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        if slope.ndim == x.ndim - 1 and slope.shape[0] == slope.numel() == x.shape[1]:
            return functional.prelu(x, slope.reshape(-1))
        return torch.lerp(torch.relu(x), x, slope)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        x, slope = ctx.saved_tensors
        (gradient,) = gradients
        # Where x > 0 both ends are the gradient; elsewhere the way from 0 to it, by the slope.
        passed = torch.ops.aten.threshold_backward(gradient, x, 0)
        return torch.lerp(passed, gradient, slope), None
