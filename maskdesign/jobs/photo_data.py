"""Photos of a list of pairs as they are at hand: masked, refused or missing, and the pairs that can be tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.evaluation.pairs import Photo, photo_path
from maskdesign.evaluation.verification import ProbeSet
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.photo_store import PhotoStore, fill_store
from maskdesign.progress import Progress


@dataclass(frozen=True, eq=False)
class PhotoData:
    """Photos that are at hand: keys in the store, and who is in them; and those that are not."""

    keys: list[str]
    people: NDArray[np.int64]
    photos: list[Photo]
    refused: dict[str, str]
    missing: list[str]


def test_jobs(
    folder: Path, genuine: Sequence[tuple[Photo, Photo]], config: JobConfig
) -> dict[Photo, tuple[Path, float]]:
    """Every photo of the tested pairs, with the pleat opening of the test."""
    photos = sorted({photo for pair in genuine for photo in pair})
    return {photo: (photo_path(folder, photo), config.photos.test_opening_mm) for photo in photos}


def read_data(
    store: PhotoStore, jobs: Mapping[Photo, tuple[Path, float]], folder: Path, progress: Progress
) -> PhotoData:
    """Mask the photos that the folder holds.

    Raises:
        InputError: it holds none of them.
    """
    missing = [str(path.relative_to(folder)) for path, _ in jobs.values() if not path.is_file()]
    if len(missing) == len(jobs):
        raise InputError(f"{folder}: holds none of the {len(jobs)} photos that the list of pairs names")
    present = {photo: job for photo, job in jobs.items() if job[0].is_file()}
    keys = fill_store(store, list(present.values()), progress)
    refused, photos = {}, []
    for photo, job in present.items():
        reason = store.reason(keys[job])
        if reason is None:
            photos.append(photo)
        else:
            refused[f"{photo[0]}_{photo[1]:04d}"] = reason
    names = np.unique([name for name, _ in photos], return_inverse=True)[1]
    return PhotoData([keys[present[photo]] for photo in photos], names.astype(np.int64), photos, refused, missing)


def tested_pairs(test: PhotoData, genuine: Sequence[tuple[Photo, Photo]]) -> ProbeSet:
    """The pairs whose both photos show a face.

    Raises:
        InputError: there is none.
    """
    rows = {photo: row for row, photo in enumerate(test.photos)}
    kept = np.array([(rows[a], rows[b]) for a, b in genuine if a in rows and b in rows], dtype=np.int64).reshape(-1, 2)
    if not len(kept):
        raise InputError("no pair of the test folds has two photos with a face")
    return ProbeSet(test.people, kept[:, 0], kept[:, 1])
