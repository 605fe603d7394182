"""AdvHat: a rectangular sticker on the forehead, bent with it; similarity to oneself and total variation.

Source: Komkov and Petiushko, arXiv 1908.08705. Their bending is a parabola, here the sticker lies on the head itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from maskdesign.mask.accessories import FOREHEAD_STICKER
from maskdesign.optimize.baselines.baseline import Baseline
from maskdesign.optimize.baselines.similarity import SimilarityLoss
from maskdesign.optimize.photo_probes import PhotoJitter
from maskdesign.recognition.recognizer import Recognizer


def _adversary(recognizers: tuple[Recognizer, ...], known: Sequence[Tensor]) -> SimilarityLoss:
    return SimilarityLoss(recognizers, tv_weight=0.1)


ADVHAT = Baseline("AdvHat", "Komkov and Petiushko 2019", FOREHEAD_STICKER, PhotoJitter(), _adversary)
