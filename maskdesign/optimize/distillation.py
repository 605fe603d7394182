"""What a student is taught: to point where its teachers point, to keep their angles, and to tell people apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.errors import ConfigError


@dataclass(frozen=True)
class DistillationSettings:
    """Weights of the three terms.

    Attributes:
        direction: of 1 - cosine between the embedding and its target.
        angles: of the squared error of cosines between the faces of a batch (Park et al., Relational knowledge
            distillation, 2019).
        prints: of the squared error of what differs between one face's pictures under several prints.
        people: of the margin loss (Wang et al., CosFace, 2018), whose class centers are the people's mean targets.
        margin, scale: of the margin loss.
    """

    direction: float = 1.0
    angles: float = 8.0
    prints: float = 4.0
    people: float = 0.05
    margin: float = 0.2
    scale: float = 24.0

    def __post_init__(self) -> None:
        weights = self.direction, self.angles, self.prints, self.people
        if min(weights) < 0 or sum(weights) == 0:
            raise ConfigError("loss: no weight may be negative, and one of them must be above 0")
        if not 0 <= self.margin < 1 or self.scale <= 0:
            raise ConfigError("loss: margin in [0, 1) and scale > 0 are needed")


def distillation_loss(
    settings: DistillationSettings,
    embeddings: Tensor,
    targets: Tensor,
    people: Tensor,
    centers: Tensor,
    groups: Tensor,
) -> Tensor:
    """The loss of one batch.

    Args:
        embeddings: (B, E) of the student.
        targets: (B, E) unit vectors of the teachers, of the face without mask or damage.
        people: (B,) row of the person in `centers`; -1 for nobody (a mixture of two people).
        centers: (P, E) unit vectors.
        groups: (G, n) rows of pictures that differ by the print alone.
    """
    unit = functional.normalize(embeddings.float(), dim=1)
    direction = (1 - (unit * targets).sum(dim=1)).mean()
    angles = (unit @ unit.T - targets @ targets.T).square()
    count = max(1, len(unit) * (len(unit) - 1))
    loss = settings.direction * direction + settings.angles * angles.fill_diagonal_(0).sum() / count
    if len(groups):
        loss = loss + settings.prints * difference_loss(unit[groups], targets[groups])
    known = people >= 0
    if settings.people == 0 or not known.any():
        return loss
    return loss + settings.people * margin_loss(unit[known], people[known], centers, settings.margin, settings.scale)


def difference_loss(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of what differs within each group, (G, n, E): a finite difference along each print."""
    error = embeddings - targets
    return (error - error.mean(dim=1, keepdim=True)).square().sum(dim=2).mean()


def margin_loss(unit: Tensor, people: Tensor, centers: Tensor, margin: float, scale: float) -> Tensor:
    """CosFace, Eq 4: cross entropy of scaled cosines, the right one lowered by the margin.

    Args:
        unit: (B, E) unit vectors.
        people: (B,) rows of `centers`, (P, E) unit vectors.
    """
    cosines = unit @ centers.T
    lowered = cosines - margin * functional.one_hot(people, len(centers)).to(cosines.dtype)
    return functional.cross_entropy(scale * lowered, people)


def person_centers(targets: Tensor, people: Tensor) -> Tensor:
    """Mean target of each person as unit vectors.

    Args:
        targets: (n, E).
        people: (n,) from 0 to P - 1, everybody at least once.

    Returns:
        (P, E).
    """
    sums = torch.zeros(int(people.max()) + 1, targets.shape[1]).index_add_(0, people, targets)
    return functional.normalize(sums, dim=1)


def turned(targets: Tensor, embeddings: Tensor) -> Tensor:
    """The rotation or reflection that brings targets closest to embeddings (orthogonal Procrustes, Schoenemann 1966).

    Cosines between targets stay what they are under it, so a net that exists can be taught anew without unlearning.

    Args:
        targets, embeddings: (n, E) unit vectors of the same faces.

    Returns:
        (E, E), to be multiplied from the right.
    """
    left, _, right = torch.linalg.svd(targets.double().T @ embeddings.double())
    return (left @ right).to(targets.dtype)
