"""The encoder: features of every recognizer squeezed into one interval of one common space ("eigenvalue extrusion").

Source: PrivacyMask, section 3.1 and Fig 4: "squeezing eigenvalues of the same person's face into small intervals is a
good way of increasing the convergence speed". Embeddings of different recognizers have other lengths, axes and scales;
here each is turned to its l axes of largest spread over people, centered, divided by the spread and squeezed into
(0, 1), so that feature j of one recognizer and feature j of another mean equally much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from maskdesign.errors import ConfigError, InputError
from maskdesign.recognition.recognizer import Recognizer

LEAST_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Extrusion:
    """One recognizer's way into the common space.

    Attributes:
        center: (E,) mean embedding.
        axes: (l, E) orthonormal rows.
        spread: (l,) standard deviation along each.
    """

    center: Tensor
    axes: Tensor
    spread: Tensor

    def __call__(self, embeddings: Tensor) -> Tensor:
        """(..., E) embeddings -> (..., l) features in (0, 1); 1/2 is the average face."""
        return torch.sigmoid((embeddings - self.center) @ self.axes.T / self.spread)


def learned_extrusion(known: Tensor, length: int, kept: Tensor | None = None) -> Extrusion:
    """Normalization learned from people: the principal axes of their embeddings.

    Args:
        known: (n, E) embeddings of n faces of several people, n > 1.
        length: l, at most the number of axes along which these faces differ.
        kept: (E,) bool, channels that stay; the others are cut.

    Raises:
        ConfigError: more axes than the faces have.
    """
    center = known.mean(dim=0)
    apart = known - center
    if kept is not None:
        apart = apart * kept
    _, singular, axes = torch.linalg.svd(apart, full_matrices=False)
    spread = singular / max(1, len(known) - 1) ** 0.5
    able = int((spread > LEAST_SPREAD * spread[:1]).sum())
    if not 1 <= length <= able:
        raise ConfigError(f"attention.length = {length}: {len(known)} known faces allow 1 to {able}")
    # An axis has no direction of its own; its largest entry decides, so that every machine finds the same.
    largest = axes[:length].gather(1, axes[:length].abs().argmax(dim=1, keepdim=True))
    return Extrusion(center, axes[:length] * largest.sign(), spread[:length])


def analytic_extrusion(embedding_size: int, length: int, scale: float) -> Extrusion:
    """Normalization without people: the first l channels, all with one spread.

    Args:
        scale: spread of a channel; 1 / sqrt(E) for embeddings of length 1.
    """
    if not 1 <= length <= embedding_size:
        raise ConfigError(f"attention.length = {length} must lie between 1 and {embedding_size}")
    return Extrusion(torch.zeros(embedding_size), torch.eye(embedding_size)[:length], torch.full((length,), scale))


def filter_norms(recognizer: Recognizer, order: Literal[1, 2] = 1) -> Tensor:
    """Norm of the last layer's filter behind each channel of the embedding (Li et al., arXiv 1608.08710).

    Args:
        order: 1 or 2, for the L1 or the L2 norm.

    Returns:
        (E,).

    Raises:
        InputError: a network that shows no filters, such as a black box.
    """
    size = recognizer.spec.embedding_size
    tensors = [tensor for _, tensor in (*recognizer.network.named_parameters(), *recognizer.network.named_buffers())]
    filters = [tensor for tensor in tensors if tensor.ndim >= 2 and tensor.shape[0] == size]
    if not filters:
        raise InputError(f"{recognizer.spec.name} shows no filters; put another recognizer first")
    return torch.linalg.vector_norm(filters[-1].detach().flatten(1).float(), ord=order, dim=1)


def strong_filters(norms: Tensor, share: float) -> Tensor:
    """(E,) bool: the given share of the channels, those with the largest norms; at least one.

    Raises:
        ConfigError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ConfigError(f"attention.filter_share = {share} must lie in (0, 1]")
    count = max(1, round(share * len(norms)))
    kept = torch.zeros(len(norms), dtype=torch.bool)
    kept[torch.argsort(norms, descending=True, stable=True)[:count]] = True
    return kept


def encode_ensemble(
    recognizers: tuple[Recognizer, ...], known: tuple[Tensor, ...], length: int, filter_share: float
) -> tuple[Extrusion, ...]:
    """An extrusion for each recognizer; weak filters of the first one are cut and bound the common length.

    Args:
        known: for each recognizer (n, E) embeddings of the same n faces.
        length: l; fewer where the first recognizer keeps fewer filters or where the faces have fewer axes.

    Raises:
        InputError: recognizers that disagree on people: another number of known faces for one than for another.
    """
    if len({len(rows) for rows in known}) != 1 or len(known) != len(recognizers):
        counts = ", ".join(f"{r.spec.name}: {len(rows)}" for r, rows in zip(recognizers, known, strict=False))
        raise InputError(f"the recognizers know different numbers of faces ({counts}); embed the same ones with each")
    try:
        kept = strong_filters(filter_norms(recognizers[0]), filter_share)
    except InputError:
        # A black box shows no filters: how strongly each channel answers stands for their norms.
        kept = strong_filters((known[0] - known[0].mean(dim=0)).abs().mean(dim=0), filter_share)
    common = min([length, int(kept.sum())] + [min(len(rows) - 1, rows.shape[1]) for rows in known])
    return tuple(learned_extrusion(rows, common, kept if place == 0 else None) for place, rows in enumerate(known))
