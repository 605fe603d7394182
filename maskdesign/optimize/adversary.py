"""The adversary of a design: recognizers that judge pictures, and one loss that fuses what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from maskdesign.optimize.ensemble import Probe, probe_margins
from maskdesign.optimize.objective import ObjectiveSettings, objective
from maskdesign.recognition.recognizer import Recognizer


class Adversary(Protocol):
    """Pictures that lack a print, and the print: how bad is it, and by what margin does each recognizer match?"""

    @property
    def recognizers(self) -> tuple[Recognizer, ...]:
        """Those whose margins are given."""
        ...

    def judge(self, probes: Sequence[Probe], texture: Tensor) -> tuple[Tensor, Tensor]:
        """A scalar loss, lower is better, and (R, B) margins at FMR 1e-3; both differentiable in `texture`."""
        ...


@dataclass(frozen=True)
class MarginFusion:
    """The hinge of every margin, averaged with weights that heed the worst recognizer; an `Adversary`."""

    recognizers: tuple[Recognizer, ...]
    objective: ObjectiveSettings

    def judge(self, probes: Sequence[Probe], texture: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Adversary`."""
        margins = probe_margins(self.recognizers, probes, texture)
        return objective(margins, texture, self.objective), margins
