"""The universal patch: whoever carries it shall be taken for one given person, wherever and however it lies.

Source: Brown et al., Adversarial Patch, arXiv 1712.09665: expectation over strong transformations of place, size and
turn, towards a target class. Here the target is one of the people designed for, and the patch is printed on a mask: on
the face, which is more than its authors' place beside the object.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from maskdesign.optimize.baselines.baseline import Baseline
from maskdesign.optimize.baselines.similarity import SimilarityLoss
from maskdesign.optimize.photo_probes import PhotoJitter
from maskdesign.recognition.recognizer import Recognizer

WILD = PhotoJitter(shift_mm=25.0, turn_deg=22.5, stretch=0.3)


def _adversary(recognizers: tuple[Recognizer, ...], known: Sequence[Tensor]) -> SimilarityLoss:
    return SimilarityLoss(recognizers, tv_weight=0.05, targets=tuple(rows[0] for rows in known))


UNIVERSAL_PATCH = Baseline("universal patch", "Brown et al. 2017", None, WILD, _adversary)
