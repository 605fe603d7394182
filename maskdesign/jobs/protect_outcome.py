"""What became of a photo that was to be protected: a row of `protected.json`, or why it was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TABLE = "protected.json"


@dataclass(frozen=True)
class Outcome:
    """What became of a photo.

    Attributes:
        photo: its place in the folder.
        sha256, settings: of the file and of the configuration, to know finished work again.
        protected, key: what was written, in the output folder; None where there is none.
        reason: why it was refused, empty where it was not.
        faces, rung, ssim_photo, ssim_face, ssim_template, margins, shared: as in `ProtectedPhoto`.
    """

    photo: str
    sha256: str = ""
    settings: str = ""
    protected: str | None = None
    key: str | None = None
    reason: str = ""
    faces: int = 0
    rung: str = ""
    ssim_photo: float = 1.0
    ssim_face: float = 1.0
    ssim_template: float = 1.0
    margins: dict[str, float] = field(default_factory=dict)
    shared: float | None = None

    def __str__(self) -> str:
        if self.reason:
            return f"{self.photo}: refused: {self.reason}"
        fooled = ", ".join(f"{name} {value:+.2f}" for name, value in self.margins.items())
        likeness = f"SSIM {self.ssim_photo:.3f}, in the face {self.ssim_face:.3f}"
        faces = "" if self.faces == 1 else f"{self.faces} faces, "
        # 1 without a seed; with one, people want to know how much of their template is still everybody's.
        own = "" if self.shared in (None, 1.0) else f"; {self.shared:.0%} of the template is that of every user"
        return f"{self.photo}: {faces}{self.rung}, {likeness}; margins {fooled}{own}"


def summary(outcomes: Sequence[Outcome], out: Path) -> dict[str, Any]:
    """Everything for JSON."""
    return {"folder": str(out), "photos": [asdict(outcome) for outcome in outcomes]}
