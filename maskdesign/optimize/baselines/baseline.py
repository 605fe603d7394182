"""`Baseline`: one method of the literature as this program runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from maskdesign.mask.accessories import Accessory
from maskdesign.optimize.adversary import Adversary
from maskdesign.optimize.photo_probes import PhotoJitter
from maskdesign.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class Baseline:
    """A method.

    Attributes:
        name, source: for tables.
        accessory: what is printed; None for the mask.
        jitter: how its authors shake pictures.
        adversary: from the recognizers, and for each one (n, E) embeddings of the people designed for, its loss.
    """

    name: str
    source: str
    accessory: Accessory | None
    jitter: PhotoJitter
    adversary: Callable[[tuple[Recognizer, ...], Sequence[Tensor]], Adversary]
