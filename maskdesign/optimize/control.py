"""When a design is good enough: an interval for the FNMR of the weakest recognizer, and no trust in sudden jumps.

Source: PrivacyMask, section 4.1: one recognizer's FNMR "suddenly" rose to 1.0, "clearly, this result does not accord
with the principle of statistics", so the target FNMR was set to [0.80, 0.95] "according to the Cannikin law": a barrel
holds as much water as its shortest stave allows. People join in a second round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from maskdesign.errors import ConfigError


@dataclass(frozen=True)
class ControlSettings:
    """The target, and what is not believed.

    Attributes:
        lowest, highest: of the interval for the FNMR at FMR 1e-3. At or above `lowest` a recognizer is done; above
            `highest` more would be won only on views like the design's.
        jump: rise of an FNMR between two looks from which on it is believed only when the next look confirms it.
        second_round_at: share of the steps after which new people join, if the interval was not reached before.

    Raises:
        ConfigError: an interval outside of (0, 1), or one that runs backwards.
    """

    lowest: float = 0.80
    highest: float = 0.95
    jump: float = 0.35
    second_round_at: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest < 1:
            raise ConfigError(
                f"control.lowest = {self.lowest} and control.highest = {self.highest} must rise inside (0, 1)"
            )
        if not 0 < self.jump <= 1 or not 0 < self.second_round_at <= 1:
            raise ConfigError("control.jump and control.second_round_at must lie in (0, 1]")


def weakest(rates: Sequence[float]) -> float:
    """FNMR of the recognizer that is fooled least: it decides (Cannikin law)."""
    return min(rates)


def jumped(settings: ControlSettings, before: Sequence[float], now: Sequence[float]) -> tuple[bool, ...]:
    """Which recognizers' FNMR rose too fast since the last look to be believed.

    Args:
        before: FNMRs of the last look; empty where there was none: a first look has nothing to confirm it.
        now: FNMRs of this one.
    """
    if not before:
        return tuple(rate >= settings.lowest for rate in now)
    return tuple(new - old > settings.jump for old, new in zip(before, now, strict=True))


def reached_interval(settings: ControlSettings, before: Sequence[float], now: Sequence[float]) -> bool:
    """Whether every recognizer is in the interval or above it, and none got there by a jump."""
    return weakest(now) >= settings.lowest and not any(jumped(settings, before, now))


COLLAPSED_SPREAD = 0.02


def collapsed(texture: Tensor) -> bool:
    """Whether a texture is one color: no channel's standard deviation over the sheet reaches 2 % of its range.

    Args:
        texture: (3, h, w) in [0, 1].
    """
    return float(texture.detach().flatten(1).std(dim=1).max()) < COLLAPSED_SPREAD
