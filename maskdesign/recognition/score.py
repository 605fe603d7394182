"""From embeddings to scores to margins that compare between recognizers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from maskdesign.errors import ConfigError
from maskdesign.recognition.spec import RecognizerSpec


def scores(spec: RecognizerSpec, probes: Tensor, enrolment: Tensor) -> Tensor:
    """How much each probe resembles the enrolled person: the cosine, or minus the Euclidean distance.

    Args:
        probes: (B, E) embeddings.
        enrolment: (E,) embedding, or (B, E): whom each probe claims to be.

    Returns:
        (B,), higher = more alike; in [-1, 1] for "cosine", at most 0 for "l2". Differentiable; the gradient of
        the distance is taken as 0 where both embeddings are equal.
    """
    if spec.pair_score is not None:
        return spec.pair_score(probes, enrolment.expand_as(probes))
    return _METRICS[spec.metric](probes, enrolment)


def margins(spec: RecognizerSpec, scores: Tensor, fmr: str = "1e-3") -> Tensor:
    """Scores in units of the recognizer's own spread: (score - threshold) / (genuine mean - impostor mean).

    Args:
        scores: (B,) as `scores` gives them.
        fmr: false match rate whose threshold counts.

    Returns:
        (B,), > 0 = recognized.

    Raises:
        ConfigError: no threshold is known for this rate.
    """
    if fmr not in spec.thresholds:
        known = ", ".join(spec.thresholds) or "no rate yet: run `maskdesign models calibrate`"
        raise ConfigError(f"fmr = {fmr!r}: {spec.name} has thresholds for {known}; take one of these")
    return (scores - spec.thresholds[fmr]) / (spec.genuine_mean - spec.impostor_mean)


def confidence(spec: RecognizerSpec, scores: Sequence[float] | NDArray[np.float64]) -> float:
    """Mean confidence: 0 at strangers' mean score, 1 at one's own, cut off there; services have scales of their own."""
    shares = (np.asarray(scores) - spec.impostor_mean) / (spec.genuine_mean - spec.impostor_mean)
    return float(np.clip(shares, 0, 1).mean())


def _cosine(probes: Tensor, enrolment: Tensor) -> Tensor:
    return functional.cosine_similarity(probes, enrolment.expand_as(probes), dim=1)


def _minus_distance(probes: Tensor, enrolment: Tensor) -> Tensor:
    return -torch.linalg.vector_norm(probes - enrolment, dim=1)


_METRICS = {"cosine": _cosine, "l2": _minus_distance}
