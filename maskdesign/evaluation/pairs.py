"""Pairs of photos as Labeled Faces in the Wild lists them (View 2), split by people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maskdesign.errors import InputError
from maskdesign.files import check_readable

Photo = tuple[str, int]
"""Person and number: ("Abel_Pacheco", 1) is Abel_Pacheco/Abel_Pacheco_0001.jpg."""

ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Fold:
    """One fold: its pairs of one person and of two persons. No person is in two folds."""

    genuine: tuple[tuple[Photo, Photo], ...]
    impostor: tuple[tuple[Photo, Photo], ...]


def read_pairs(path: Path) -> list[Fold]:
    """Read `pairs.txt`: a line "folds, pairs", then for each fold pairs of one person (3 cells) and of two (4 cells).

    Pairs that come twice count once.

    Raises:
        InputError: missing, another layout (with the line's number), or a person in two folds.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; list pairs of photos there, as LFW's pairs.txt does")
    check_readable(path)
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        count, each = (int(cell) for cell in header.split())
    except ValueError as error:
        raise InputError(f"{path}: line 1 must name the number of folds and of pairs of each kind") from error
    if len(lines) < 2 * count * each or count < 1 or each < 1:
        raise InputError(f"{path}: {len(lines)} pairs follow, but line 1 promises {count} folds of 2 x {each}")
    rows = [_read_line(path, number + 2, line) for number, line in enumerate(lines[: 2 * count * each])]
    folds = []
    for start in range(0, len(rows), 2 * each):
        part = list(dict.fromkeys(rows[start : start + 2 * each]))
        folds.append(Fold(tuple(p for p in part if p[0][0] == p[1][0]), tuple(p for p in part if p[0][0] != p[1][0])))
    _check_apart(path, folds)
    return folds


def _read_line(path: Path, number: int, line: str) -> tuple[Photo, Photo]:
    cells = line.split("\t") if "\t" in line else line.split()
    try:
        if len(cells) == 3:
            return (cells[0], int(cells[1])), (cells[0], int(cells[2]))
        if len(cells) == 4:
            return (cells[0], int(cells[1])), (cells[2], int(cells[3]))
    except ValueError:
        pass
    raise InputError(f"{path}: line {number} is neither NAME, N, M nor NAME, N, NAME, M: {line[:60]!r}")


def people(fold: Fold) -> set[str]:
    """Everybody in a fold."""
    return {name for pair in (*fold.genuine, *fold.impostor) for name, _ in pair}


def _check_apart(path: Path, folds: list[Fold]) -> None:
    seen: dict[str, int] = {}
    for number, fold in enumerate(folds, start=1):
        for name in people(fold):
            if seen.setdefault(name, number) != number:
                raise InputError(f"{path}: {name} is in folds {seen[name]} and {number}; they must not share people")


def photo_path(folder: Path, photo: Photo) -> Path:
    """Place of a photo; PERSON/PERSON_0001 with the ending that exists, .jpg where none does."""
    name, number = photo
    stem = folder / name / f"{name}_{number:04d}"
    found = (stem.with_suffix(ending) for ending in ENDINGS if stem.with_suffix(ending).is_file())
    return next(found, stem.with_suffix(ENDINGS[0]))
