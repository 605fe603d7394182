"""A gradient from answers alone: natural evolution strategies with antithetic pairs, for black boxes.

Source: T. Salimans et al., Evolution strategies as a scalable alternative to reinforcement learning, 2017, Section 2;
A. Ilyas et al., Black-box adversarial attacks with limited queries and information, 2018, Eq 2. With one pair a step it
is J. Spall's simultaneous perturbation (SPSA, 1992) with normal directions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def estimate_gradient(
    loss_of: Callable[[Tensor], float], parameters: Tensor, pairs: int, spread: float, seed: int, step: int
) -> Tensor:
    """Mean over n random directions u of (L(p + s u) - L(p - s u)) / (2 s) u: the gradient of L smoothed over s.

    Directions come from a counter, so that a resumed design asks the same questions.

    Args:
        loss_of: the loss at given parameters; asked 2 n times, without a gradient.
        parameters: any shape.
        pairs: n; the error falls with its root, and a gradient of d numbers wants n of about d for a good estimate.
        spread: s, in the parameters' unit.
        seed, step: of the design.

    Returns:
        the estimate, in the shape of `parameters`.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, step]))
    total = torch.zeros_like(parameters)
    for _ in range(pairs):
        direction = torch.from_numpy(random.standard_normal(tuple(parameters.shape), dtype=np.float32))
        direction = direction.to(parameters.dtype)
        rise = loss_of(parameters + spread * direction) - loss_of(parameters - spread * direction)
        total += rise / (2 * spread) * direction
    return total / pairs
