"""A table of what became of each photo of a folder, kept beside the results so that a killed job goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from maskdesign.errors import InputError
from maskdesign.files import write_json


class PhotoOutcome(Protocol):
    """A dataclass of plain values about one photo."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def photo(self) -> str:
        """Its place in the folder."""
        ...


Row = TypeVar("Row", bound=PhotoOutcome)


def read_outcomes(path: Path, kind: type[Row]) -> dict[str, Row]:
    """Outcomes by photo; empty where there is no table yet.

    Raises:
        InputError: a damaged table.
    """
    if not path.exists():
        return {}
    try:
        rows = [kind(**row) for row in json.loads(path.read_text())]
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: the table is damaged ({error}); remove it to begin anew") from error
    return {row.photo: row for row in rows}


def write_outcomes(path: Path, outcomes: Mapping[str, PhotoOutcome]) -> None:
    """Write outcomes by photo so that `read_outcomes` reads them back, atomically."""
    write_json(path, [asdict(outcomes[photo]) for photo in sorted(outcomes)])
