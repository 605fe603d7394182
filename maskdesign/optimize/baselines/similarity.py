"""The loss that dodging and impersonating methods share: mean similarity, smoothness, printability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from maskdesign.optimize.ensemble import Probe, embed_probes, embedding_margins
from maskdesign.optimize.objective import total_variation
from maskdesign.optimize.printability import non_printability
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import margins, scores
from maskdesign.render.renderer import develop_shots


@dataclass(frozen=True, eq=False)
class SimilarityLoss:
    """Mean similarity to the wearer, or its negative to somebody else; an `Adversary`.

    Similarities are margins, so that nets with cosines and nets with distances add up; there is no hinge.

    Attributes:
        recognizers: that judge.
        tv_weight, nps_weight: of total variation and of non-printability.
        targets: for each recognizer (E,) embedding of whom to resemble; empty to dodge.
    """

    recognizers: tuple[Recognizer, ...]
    tv_weight: float
    nps_weight: float = 0.0
    targets: tuple[Tensor, ...] = ()

    def judge(self, probes: Sequence[Probe], texture: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Adversary`."""
        images = develop_shots([probe.shot for probe in probes], texture)
        embedded = [embed_probes(recognizer, probes, images) for recognizer in self.recognizers]
        own = embedding_margins(self.recognizers, probes, embedded)
        loss = -self._to_targets(embedded).mean() if self.targets else own.mean()
        loss = loss + self.tv_weight * total_variation(texture)
        if self.nps_weight:
            loss = loss + self.nps_weight * non_printability(texture)
        return loss, own

    def _to_targets(self, embedded: Sequence[Tensor]) -> Tensor:
        triples = zip(self.recognizers, embedded, self.targets, strict=True)
        return torch.stack([margins(r.spec, scores(r.spec, rows, target)) for r, rows, target in triples])
