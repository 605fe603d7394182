"""`protected.json`: what became of each photo of a folder, kept beside the protected ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from maskdesign.errors import InputError
from maskdesign.files import write_json

TABLE = "protected.json"


@dataclass(frozen=True)
class Outcome:
    """What became of a photo.

    Attributes:
        photo: its place in the folder.
        sha256, settings: of the file and of the configuration, to know finished work again.
        protected, key: what was written, in the output folder; None where there is none.
        reason: why it was refused, empty where it was not.
        faces, rung, ssim_photo, ssim_face, ssim_template, margins: as in `ProtectedPhoto`.
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

    def __str__(self) -> str:
        if self.reason:
            return f"{self.photo}: refused: {self.reason}"
        fooled = ", ".join(f"{name} {value:+.2f}" for name, value in self.margins.items())
        likeness = f"SSIM {self.ssim_photo:.3f}, in the face {self.ssim_face:.3f}"
        faces = "" if self.faces == 1 else f"{self.faces} faces, "
        return f"{self.photo}: {faces}{self.rung}, {likeness}; margins {fooled}"


def read_table(path: Path) -> dict[str, Outcome]:
    """Outcomes by photo; empty where there is no table yet.

    Raises:
        InputError: a damaged table.
    """
    if not path.exists():
        return {}
    try:
        rows = [Outcome(**row) for row in json.loads(path.read_text())]
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: the table is damaged ({error}); remove it to begin anew") from error
    return {row.photo: row for row in rows}


def write_table(path: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Write outcomes by photo so that `read_table` reads them back, atomically."""
    write_json(path, [asdict(outcomes[photo]) for photo in sorted(outcomes)])


def summary(outcomes: Sequence[Outcome], out: Path) -> dict[str, Any]:
    """Everything for JSON."""
    return {"folder": str(out), "photos": [asdict(outcome) for outcome in outcomes]}
