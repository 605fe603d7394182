"""Adversarial eyeglasses: a patch in the shape of a frame; similarity to oneself, total variation, printability.

Source: Pautov et al. 2019 for the loss against face recognizers; Sharif et al. 2016 for the frame and for printability.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from maskdesign.mask.accessories import EYEGLASSES
from maskdesign.optimize.baselines.baseline import Baseline
from maskdesign.optimize.baselines.similarity import SimilarityLoss
from maskdesign.optimize.photo_probes import PhotoJitter
from maskdesign.recognition.recognizer import Recognizer


def _adversary(recognizers: tuple[Recognizer, ...], known: Sequence[Tensor]) -> SimilarityLoss:
    return SimilarityLoss(recognizers, tv_weight=0.1, nps_weight=0.1)


GLASSES = Baseline("eyeglasses", "Pautov et al. 2019, Sharif et al. 2016", EYEGLASSES, PhotoJitter(), _adversary)
