"""How photos are protected."""

from __future__ import annotations

from dataclasses import dataclass, field

from maskdesign.digital.cells import TemplateSettings
from maskdesign.digital.perturb import STRENGTHS, PerturbSettings
from maskdesign.errors import ConfigError

ALL_BITS = 8


@dataclass(frozen=True)
class ProtectSettings:
    """How photos are protected.

    Attributes:
        strength: the last rung of the ladder that may be climbed: faint, balanced or strong.
        low_bits: the XOR operand stays below 2 ** low_bits, as in the paper; 8 leaves it free (the target mode).
        user_seed: makes a user's templates unlike those of others; None for the plain one.
        tau: a row for each recognizer, a column for each of the superposition's `PARTS`: how much what the recognizer
            looks at there counts when the template is chosen; empty for all alike.
        sigma_rounds: rounds of the search that takes back, part by part, what is not needed to hide the face; 0 for
            none. The photo then hides just so, and about 15 s more are spent on a face.
    """

    strength: str = "balanced"
    low_bits: int = ALL_BITS
    user_seed: int | None = None
    tau: tuple[tuple[float, ...], ...] = ()
    sigma_rounds: int = 0
    template: TemplateSettings = field(default_factory=TemplateSettings)
    perturb: PerturbSettings = field(default_factory=PerturbSettings)

    def __post_init__(self) -> None:
        if self.strength not in STRENGTHS:
            raise ConfigError(f"strength = {self.strength!r}: take one of {', '.join(STRENGTHS)}")
        if not 1 <= self.low_bits <= ALL_BITS:
            raise ConfigError(f"low_bits = {self.low_bits} must lie between 1 and 8")
        if self.user_seed is not None and self.user_seed < 0:
            raise ConfigError(f"--unique {self.user_seed} must not be negative")
        if self.sigma_rounds < 0:
            raise ConfigError(f"sigma_rounds = {self.sigma_rounds} must not be negative")
