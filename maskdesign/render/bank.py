"""A bank of shots: visibility and light are worked out once and shown to many textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from maskdesign.render.distribution import ViewRanges, coarser, sample_views
from maskdesign.render.renderer import RenderSettings, Shot, take_shots
from maskdesign.render.scene import Scene
from maskdesign.render.view import View

MAX_BANK_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class ShotBank:
    """Random views: pose, light and pleat opening come back after `period` steps, the camera's response never.

    What a step sees depends on (seed, step) alone: the bank is only a memory, and empty or full the bits are the same.

    Attributes:
        scenes: what the views show.
        ranges, settings: how they are drawn and rendered.
        seed: of the views.
        period: steps until the poses come back.
    """

    scenes: tuple[Scene, ...]
    ranges: ViewRanges
    settings: RenderSettings
    seed: int
    period: int
    _kept: dict[tuple[int, int], list[Shot]] = field(default_factory=dict, repr=False)

    def shots(self, step: int, count: int) -> list[Shot]:
        """The shots of one step of a design."""
        fresh = sample_views(self.ranges, self.seed, step, count, len(self.scenes))
        kept = self.fixed_shots(step % self.period, count)
        return [replace(shot, view=_as_taken_now(shot.view, now)) for shot, now in zip(kept, fresh, strict=True)]

    def fixed_shots(self, stream: int, count: int) -> list[Shot]:
        """Shots that are the same at every call, camera response included; `stream` takes the place of a step."""
        key = (stream, count)
        if key in self._kept:
            return self._kept[key]
        shots = take_shots(
            self.scenes, sample_views(self.ranges, self.seed, stream, count, len(self.scenes)), self.settings
        )
        if (len(self._kept) + 1) * shots_bytes(shots) <= MAX_BANK_BYTES:
            self._kept[key] = shots
        return shots


def shots_bytes(shots: Sequence[Shot]) -> int:
    """Memory that shots hold."""
    parts = ([shot.affine.base, shot.affine.pixel, shot.affine.uv, shot.affine.weight] for shot in shots)
    return sum(array.nbytes for arrays in parts for array in arrays)


def _as_taken_now(kept: View, now: View) -> View:
    # The white balance answers the light and the binning the distance, which are the kept ones.
    response = coarser(now.response, kept.binning / now.binning)
    response = replace(response, white_balance=kept.response.white_balance)
    return replace(kept, response=response, noise_seed=now.noise_seed)
