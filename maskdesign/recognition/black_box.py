"""Recognizers that answer and nothing more: a function, a command, a service. No gradient, every question counted.

A black box stands in a `Recognizer` where a network stands, so that everything that only asks (enrolment, evaluation,
calibration) takes it as it is; a design that wants a gradient is refused, or estimates one from answers
(`optimize/queries.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskdesign.errors import RecognizerError
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.spec import RecognizerSpec

Crops = NDArray[np.float32]
"""(B, 3, h, w) as the specification normalizes them: RGB in [0, 1] where it changes nothing."""
Embed = Callable[[Crops], NDArray]
"""(B, 3, h, w) -> (B, E)."""
Score = Callable[[Crops, Crops], NDArray]
"""Probes and whom they claim to be, (B, 3, h, w) each -> (B,), higher = more alike."""


class BlackBox(nn.Module):
    """Asks a function; takes a network's place.

    Attributes:
        queries: crops it was asked about since it was made.
    """

    def __init__(self, name: str, ask: Embed) -> None:
        super().__init__()
        self.name, self._ask, self.queries = name, ask, 0

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, E), without a gradient.

        Raises:
            RecognizerError: a gradient is wanted, or the answer is late, not finite, or of another shape.
        """
        if torch.is_grad_enabled() and images.requires_grad:
            raise RecognizerError(
                f"{self.name}: a black box gives no gradient; take it out of this design, or let the design ask: "
                "--set design.query_pairs=32"
            )
        self.queries += len(images)
        rows = checked_answer(self.name, self._ask(_array(images)), len(images))
        return torch.from_numpy(rows.reshape(len(images), -1)).to(images.dtype)


def _array(images: Tensor) -> Crops:
    return np.ascontiguousarray(images.detach().float().cpu().numpy())


def checked_answer(name: str, answer: object, count: int) -> NDArray[np.float64]:
    """An answer as an array with one finite row for each crop.

    Raises:
        RecognizerError: anything else.
    """
    try:
        rows = np.array(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RecognizerError(f"{name}: answered with something that is no array of numbers ({error})") from error
    if rows.ndim == 0 or len(rows) != count:
        raise RecognizerError(f"{name}: answered {count} crops with {rows.shape}; one row for each is wanted")
    if not np.isfinite(rows).all():
        raise RecognizerError(f"{name}: answers with values that are not finite; look at the service or its input")
    return rows


def embedding_box(spec: RecognizerSpec, embed: Embed, origin: str) -> Recognizer:
    """A recognizer from any function of crops to embeddings, for example an onnxruntime session or dlib.

    Args:
        spec: `embedding_size` and `metric` say what the answers are.
        embed: called with (B, 3, h, w) float32.
        origin: for messages and reports.
    """
    return Recognizer(spec, BlackBox(spec.name, embed), origin)


def score_box(spec: RecognizerSpec, score: Score, origin: str) -> Recognizer:
    """A recognizer from a function that compares two crops and shows no embedding.

    The crop itself takes the embedding's place: whoever is enrolled is enrolled with a picture.
    """
    shape = (3, spec.height_px, spec.width_px)
    box = BlackBox(spec.name, lambda crops: crops.reshape(len(crops), -1))

    def compare(probes: Tensor, claimed: Tensor) -> Tensor:
        a, b = (_array(pictures).reshape(-1, *shape) for pictures in (probes, claimed))
        values = checked_answer(spec.name, score(a, b), len(a))
        return torch.from_numpy(values.reshape(len(a))).to(probes.dtype)

    spec = replace(spec, pair_score=compare, embedding_size=int(np.prod(shape)))
    return Recognizer(spec, box, origin)


def query_count(recognizers: list[Recognizer]) -> int:
    """Crops that all black boxes among some recognizers were asked about."""
    return sum(entry.network.queries for entry in recognizers if isinstance(entry.network, BlackBox))
