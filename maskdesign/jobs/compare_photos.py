"""The paper's experiments on photos of several people: protections, controls and baselines, scored alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.digital.picture import Picture, read_picture
from maskdesign.digital.protect import photo_face_mask
from maskdesign.digital.region import FaceRegion, face_regions, working_picture
from maskdesign.digital.sight import embed_view
from maskdesign.digital.similarity import ssim_within
from maskdesign.errors import FaceError, InputError
from maskdesign.evaluation.photos import PROTECTED, UNCHANGED, condition_rows, feature_planes
from maskdesign.files import write_json
from maskdesign.jobs.face_folder import PHOTO_ENDINGS
from maskdesign.jobs.photo_conditions import GROUPS, SEED, Subject
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import scores

OTHERS = 3


def compare_photos(
    people: Sequence[tuple[str, Sequence[Path]]],
    recognizers: Sequence[Recognizer],
    cache: Path,
    progress: Progress,
    groups: Sequence[str] = (),
) -> dict[str, Any]:
    """Protect the first photo of each person in every way and match it with that person's other photos.

    Args:
        people: name and photos, at least two each.
        recognizers: protected against all together, each left out in turn, and each alone.
        cache: folder with one file a person and group; an interrupted comparison goes on there.
        groups: of `GROUPS`, in this order; all where empty.

    Returns:
        the table of `condition_rows`, and the planes of `feature_planes`.

    Raises:
        InputError: nobody has two photos with a usable face.
    """
    rows: dict[str, dict[str, Any]] = {}
    for group in groups or GROUPS:
        progress.stage(group)
        for number, (name, photos) in enumerate(people):
            path = cache / group / f"{name}.json"
            if not path.exists():
                write_json(path, measure_person(photos, recognizers, group))
            rows[name] = rows.get(name, {}) | json.loads(path.read_text())
            progress.advance(number + 1, len(people), name)
    return table_of(list(rows.values()), recognizers)


def table_of(rows: Sequence[dict[str, Any]], recognizers: Sequence[Recognizer]) -> dict[str, Any]:
    """The table of `condition_rows`, and `feature_planes`, for everybody with a usable face.

    Raises:
        InputError: there is nobody.
    """
    rows = [row for row in rows if row]
    if not rows:
        raise InputError("nobody has two photos with a usable face; give PERSON/*.jpg with at least two photos each")
    table = condition_rows(rows, {entry.spec.name: entry.spec.thresholds["1e-3"] for entry in recognizers})
    return table | {"features": feature_planes(rows)}


def people_in(folder: Path) -> list[tuple[str, list[Path]]]:
    """Name and photos of everybody with a folder of at least two photos.

    Raises:
        InputError: there is nobody.
    """
    found = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        photos = sorted(path for path in person.iterdir() if path.suffix.lower() in PHOTO_ENDINGS)
        found += [(person.name, photos)] if len(photos) >= 2 else []
    if not found:
        raise InputError(f"{folder}: holds no folders of at least two photos; arrange them as PERSON/PHOTO.jpg")
    return found


def measure_person(photos: Sequence[Path], recognizers: Sequence[Recognizer], group: str) -> dict[str, Any]:
    """Scores of one person under the conditions of a group; empty where a photo shows no usable face."""
    try:
        subject = _subject(photos[: OTHERS + 1], recognizers)
    except FaceError:
        return {}
    nowhere, rng = np.zeros(subject.pixels.shape[:2], bool), np.random.Generator(np.random.Philox(key=SEED))
    conditions = [(UNCHANGED, subject.pixels, nowhere)], GROUPS[group](subject, recognizers, rng)
    return {name: _measured(subject, name, pixels, mask, recognizers) for name, pixels, mask in chain(*conditions)}


def _subject(photos: Sequence[Path], recognizers: Sequence[Recognizer]) -> Subject:
    pictures = [read_picture(path) for path in photos]
    regions = [_middle_region(picture, str(path)) for picture, path in zip(pictures, photos, strict=True)]
    known = [_embeddings(picture, region, recognizers) for picture, region in zip(pictures, regions, strict=True)]
    return Subject(pictures[0].rgb, regions[0], tuple(known[1:]))


def _middle_region(picture: Picture, source: str) -> FaceRegion:
    """The face nearest to the middle of the photo, whom the photo is of."""
    middle = np.array(picture.shape[::-1]) / 2
    return min(
        face_regions(picture, source), key=lambda face: float(np.linalg.norm(face.landmarks_px.mean(0) - middle))
    )


@torch.no_grad()
def _embeddings(picture: Picture, region: FaceRegion, recognizers: Sequence[Recognizer]) -> tuple[torch.Tensor, ...]:
    image, points = working_picture(region, picture.rgb), region.points_px()
    return tuple(embed_view(recognizer, image, points) for recognizer in recognizers)


def _measured(
    subject: Subject,
    name: str,
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    recognizers: Sequence[Recognizer],
) -> dict[str, Any]:
    picture, box = Picture(pixels), photo_face_mask(subject.region, *pixels.shape[:2])
    try:
        # As whoever meets the photo would: landmarks are found anew in its 8-bit pixels.
        region, found = _middle_region(picture, "probe"), True
    except FaceError:
        region, found = subject.region, False
    probe = dict(
        zip((entry.spec.name for entry in recognizers), _embeddings(picture, region, recognizers), strict=True)
    )
    return {
        "found": found,
        "ssim": ssim_within(subject.pixels, pixels, (None, box, mask if mask.any() else None)),
        "rmse": float(np.sqrt(np.mean((subject.pixels.astype(float) - pixels) ** 2))),
        "largest": int(np.abs(subject.pixels.astype(int) - pixels).max()),
        "scores": {
            recognizer.spec.name: [
                scores(recognizer.spec, probe[recognizer.spec.name][None], o[i])[0].item() for o in subject.gallery
            ]
            for i, recognizer in enumerate(recognizers)
        },
        "features": {key: value.tolist() for key, value in probe.items()} if name in (UNCHANGED, PROTECTED) else {},
    }
