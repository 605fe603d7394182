"""The fusion network's adversary: recognizers encoded into one space, weighed by attention, fused into one loss.

PrivacyMask, Fig 3: the encoder abstracts the synthesized picture's features, the recognizers answer, the decoder joins
them (Eq 3) and feeds recognition and area of interest back to the generator. Attention acts in three places: on the
recognizers' hinges, on the features that still agree, and on the regions that the gradient comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.optimize.attention import attend_regions, attended_weight, attention_distribution, fuse_features
from maskdesign.optimize.encoder import Extrusion
from maskdesign.optimize.ensemble import Probe, claimed_embeddings, embed_probes, embedding_margins
from maskdesign.optimize.objective import ObjectiveSettings, attention_weights, hinge, total_variation
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.render.renderer import develop_shots


@dataclass(frozen=True)
class AttentionSettings:
    """How attention is paid; each temperature at 0 pays none.

    Attributes:
        recognizer: temperature on the recognizers' losses; higher heeds the worst member more.
        feature: temperature on the agreement of features, which lies in [-1, 1].
        feature_weight: weight of the fused features beside the hinges; 0 leaves the encoder out.
        region: temperature on the regions of the picture; 0 for none.
        cell_px: side of a region.
        length: of the common space.
        filter_share: share of the first recognizer's filters that are kept.
    """

    recognizer: float = 8.0
    feature: float = 4.0
    feature_weight: float = 0.3
    region: float = 1.0
    cell_px: int = 8
    length: int = 48
    filter_share: float = 0.75

    def __post_init__(self) -> None:
        for name in ("recognizer", "feature", "feature_weight", "region"):
            if not 0 <= getattr(self, name) <= 100:
                raise ConfigError(f"attention.{name} = {getattr(self, name)} must lie between 0 and 100")
        if not 1 <= self.cell_px <= 256 or self.length < 1:
            raise ConfigError("attention.cell_px must lie between 1 and 256, attention.length be at least 1")
        if not 0 < self.filter_share <= 1:
            raise ConfigError(f"attention.filter_share = {self.filter_share} must lie in (0, 1]")


def agreement(probes: Tensor, claimed: Tensor) -> Tensor:
    """How far a probe shares each trait of the person it claims to show, in (0, 1); 1/2 where either has none of it.

    Args:
        probes, claimed: (..., l) features of an `Extrusion`.
    """
    return 0.5 + 2 * (probes - 0.5) * (claimed - 0.5)


def fused_recognition(agreements: Tensor, temperature: float) -> Tensor:
    """What the decoder makes of all features: Eq 1 to 3, summed up.

    Each recognizer's features are weighed by attention (A_i = x_i y_i), its weight w_i is their sum (Eq 1), and D joins
    them (Eq 3). Only the features carry a gradient; x, w and the norm are constants.

    Args:
        agreements: (R, B, l) in (0, 1).
        temperature: of the attention on features.

    Returns:
        (B,) about 1/2 for a stranger, about 1 at most.
    """
    # On [-1, 1], as agreement is meant.
    distribution = attention_distribution(temperature * (2 * agreements - 1))
    weights = attended_weight(distribution, agreements.detach())
    fused = fuse_features(weights, distribution * agreements)
    return fused.sum(dim=-1) / fused.shape[-1] ** 0.5


@dataclass(frozen=True)
class AttentionFusion:
    """Margins and encoded features under attention; an `Adversary`.

    Attributes:
        recognizers: the ensemble.
        encoders: one for each recognizer; empty where `attention.feature_weight` is 0.
        objective: hinge and smoothness; its own attention gives way to `attention`.
    """

    recognizers: tuple[Recognizer, ...]
    encoders: tuple[Extrusion, ...]
    objective: ObjectiveSettings
    attention: AttentionSettings

    def judge(self, probes: Sequence[Probe], texture: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Adversary`."""
        settings = self.attention
        images = develop_shots([probe.shot for probe in probes], texture)
        if settings.region > 0 and images.requires_grad:
            images = attend_regions(images, settings.cell_px, settings.region)
        embedded = [embed_probes(recognizer, probes, images) for recognizer in self.recognizers]
        margins = embedding_margins(self.recognizers, probes, embedded)
        losses = hinge(margins, self.objective).mean(dim=1)
        loss = (attention_weights(losses, settings.recognizer) * losses).sum()
        loss = loss + self.objective.tv_weight * total_variation(texture)
        if settings.feature_weight > 0 and self.encoders:
            loss = loss + settings.feature_weight * self._recognized(probes, embedded).mean()
        return loss, margins

    def _recognized(self, probes: Sequence[Probe], embedded: Sequence[Tensor]) -> Tensor:
        rows = [
            agreement(encode(embeddings), encode(claimed_embeddings(probes, place)))
            for place, (encode, embeddings) in enumerate(zip(self.encoders, embedded, strict=True))
        ]
        return fused_recognition(torch.stack(rows), self.attention.feature)
