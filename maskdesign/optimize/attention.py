"""Attention as PrivacyMask defines it (section 3.1, Eq 1 to 3), and over the regions of a picture.

The paper leaves the score s open. Here it says how much still has to be done: of a recognizer, how badly it is fooled;
of a feature, how far probe and enrolment still agree in it; of a region of the picture, how strongly the loss there
still asks for change. Attention is a constant of a step: no gradient flows through it, so nothing can be won by making
a recognizer, a feature or a region look unimportant.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor


def attention_distribution(scores: Tensor) -> Tensor:
    """Eq 2: x = softmax(s) along the last axis.

    Args:
        scores: (..., l) attention scores.

    Returns:
        (..., l) positive, with sum 1; constants.
    """
    return torch.softmax(scores.detach(), dim=-1)


def attended_weight(distribution: Tensor, features: Tensor) -> Tensor:
    """Eq 1: w_i = sum_j x_ij y_j, the mean of a recognizer's features as attention sees them.

    Args:
        distribution: (..., l) x of `attention_distribution`.
        features: (..., l) y, squeezed into [0, 1].

    Returns:
        (...,) in [0, 1].
    """
    return (distribution * features).sum(dim=-1)


def fuse_features(weights: Tensor, features: Tensor) -> Tensor:
    """Eq 3: D = (w_1 A_1 + ... + w_n A_n) / ||A||, where + joins vectors end to end.

    The norm is that of all vectors joined, a constant of the step: however many recognizers join, D keeps its scale,
    which is what the paper fears to lose ("gradient explosion may also occur").

    Args:
        weights: (n, ...) w of each recognizer.
        features: (n, ..., l) A of each recognizer.

    Returns:
        (..., n l).
    """
    joined = torch.cat(list(features), dim=-1)
    weighted = torch.cat(list(weights[..., None] * features), dim=-1)
    norm = torch.linalg.vector_norm(joined.detach(), dim=-1, keepdim=True)
    return weighted / norm.clamp_min(torch.finfo(joined.dtype).eps)


def region_energy(gradient: Tensor, cell_px: int) -> Tensor:
    """How strongly each region of a picture matters: root mean square of a gradient over square cells.

    Args:
        gradient: (B, 3, H, W) of a recognition to the picture.
        cell_px: side of a cell; H and W need not be multiples of it.

    Returns:
        (B, 1, h, w), h = ceil(H / cell_px).
    """
    energy = gradient.square().mean(dim=1, keepdim=True)
    return F.avg_pool2d(energy, cell_px, ceil_mode=True, count_include_pad=False).sqrt()


def region_weights(gradient: Tensor, cell_px: int, temperature: float) -> Tensor:
    """Eq 2 over the regions of each picture, scaled to mean 1 over the regions that matter at all.

    Args:
        gradient: (B, 3, H, W); 0 where nothing can be changed.
        temperature: >= 0; 0 weighs all regions alike. Scores are energies in units of the picture's largest.

    Returns:
        (B, 1, H, W) >= 0, constant within a cell.
    """
    energy = region_energy(gradient, cell_px)
    scores = temperature * energy / energy.amax(dim=(2, 3), keepdim=True).clamp_min(1e-30)
    matters = energy > 0
    flat = scores.masked_fill(~matters, -torch.inf).flatten(1)
    # A picture in which nothing matters has no distribution; it keeps its weights of 1.
    shares = torch.where(matters.flatten(1).any(dim=1, keepdim=True), torch.softmax(flat, dim=1), torch.zeros(()))
    weights = (shares * matters.flatten(1).sum(dim=1, keepdim=True)).reshape(energy.shape)
    wide = weights.repeat_interleave(cell_px, dim=2).repeat_interleave(cell_px, dim=3)
    return wide[..., : gradient.shape[2], : gradient.shape[3]]


class _AttendRegions(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, cell_px, temperature):  # type: ignore[override]
        ctx.settings = cell_px, temperature
        return images.clone()

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[override]
        return gradient * region_weights(gradient, *ctx.settings), None, None


def attend_regions(images: Tensor, cell_px: int, temperature: float) -> Tensor:
    """The same pictures, whose gradient on its way back is weighed by the region it comes from.

    Args:
        images: (B, 3, H, W).
    """
    return _AttendRegions.apply(images, cell_px, temperature)  # type: ignore[return-value]
