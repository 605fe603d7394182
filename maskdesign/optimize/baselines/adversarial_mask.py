"""AdversarialMask's setting: a printed mask, 2D augmentation within 5 degrees, no model of light.

Source: Zolfi et al., Adversarial Mask, 2022: mean similarity over people and recognizers, and total variation.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from maskdesign.optimize.baselines.baseline import Baseline
from maskdesign.optimize.baselines.similarity import SimilarityLoss
from maskdesign.optimize.photo_probes import PhotoJitter
from maskdesign.recognition.recognizer import Recognizer

FLAT = PhotoJitter(
    turn_deg=5.0, print_gain=0.0, print_cast=0.0, gain=(1.0, 1.0), blur_px=(0.0, 0.0), noise_std=(0.0, 0.0),
    gamma=(1.0, 1.0),
)  # fmt: skip


def _adversary(recognizers: tuple[Recognizer, ...], known: Sequence[Tensor]) -> SimilarityLoss:
    return SimilarityLoss(recognizers, tv_weight=0.05)


ADVERSARIAL_MASK = Baseline("AdversarialMask's setting", "Zolfi et al. 2022", None, FLAT, _adversary)
