"""What a design minimizes: the ensemble's margins, fused so that the weakest point counts most, plus smoothness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor


@dataclass(frozen=True)
class ObjectiveSettings:
    """Weights of the objective.

    Attributes:
        slack: margin beyond the threshold that is still pushed on; > 0 leaves room for views never seen.
        sharpness: steepness of the hinge; higher cares less about views that are already safe.
        worst_weight: temperature of the attention on recognizers; 0 averages, higher heeds the worst member more.
        tv_weight: weight of total variation; higher gives larger, calmer shapes.
        face_weight: weight of how much the flat sheet alone looks like a face (`maskdesign.optimize.likeness`).
    """

    slack: float = 0.3
    sharpness: float = 6.0
    worst_weight: float = 2.0
    tv_weight: float = 0.3
    face_weight: float = 0.0


def hinge(margins: Tensor, settings: ObjectiveSettings) -> Tensor:
    """Smooth hinge softplus(s (m + slack)) / s: an easy view stops eating the gradient once it is safe.

    Args:
        margins: any shape, > 0 = recognized.
    """
    return F.softplus(settings.sharpness * (margins + settings.slack)) / settings.sharpness


def attention_weights(losses: Tensor, temperature: float) -> Tensor:
    """Attention on the recognizers, x = softmax(s) (PrivacyMask, Eq 2), where s is how badly each one is still fooled.

    The weights are constants of a step: gradients do not pass through them, so that no recognizer can be
    made to matter less by being fooled less.

    Args:
        losses: (R,) loss of each recognizer.
        temperature: >= 0; 0 gives equal weights.

    Returns:
        (R,) positive weights with sum 1.
    """
    return torch.softmax(temperature * losses.detach(), dim=0)


def total_variation(texture: Tensor) -> Tensor:
    """Mean length of the color gradient, isotropic (Rudin, Osher, Fatemi 1992), in color units per texel.

    Args:
        texture: (C, h, w).
    """
    right = texture[:, :-1, 1:] - texture[:, :-1, :-1]
    down = texture[:, 1:, :-1] - texture[:, :-1, :-1]
    # The small constant keeps the gradient finite where the texture is flat.
    return torch.sqrt(right.square().sum(0) + down.square().sum(0) + 1e-6).mean()


def objective(margins: Tensor, texture: Tensor, settings: ObjectiveSettings) -> Tensor:
    """Fused dodging loss plus smoothness; scalar, lower is better.

    Args:
        margins: (R, B) margins of every recognizer in every view.
        texture: (3, h, w) sRGB.
    """
    losses = hinge(margins, settings).mean(dim=1)
    fused = (attention_weights(losses, settings.worst_weight) * losses).sum()
    return fused + settings.tv_weight * total_variation(texture)
