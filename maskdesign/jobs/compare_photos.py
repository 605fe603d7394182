"""The paper's experiments on photos of several people: protections, controls and baselines, scored alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.digital import baselines, controls
from maskdesign.digital.baselines import scaled_to_ssim
from maskdesign.digital.cells import photo_template
from maskdesign.digital.perturb import LADDER, FaceTask, PerturbSettings, climbed_rungs, fitted
from maskdesign.digital.picture import Picture, read_picture
from maskdesign.digital.protect import ProtectSettings, add_change, face_task, photo_face_mask
from maskdesign.digital.region import FaceRegion, face_regions, working_picture
from maskdesign.digital.sight import embed_view
from maskdesign.digital.similarity import ssim
from maskdesign.errors import FaceError, InputError
from maskdesign.evaluation.photos import UNCHANGED, condition_rows
from maskdesign.files import write_json
from maskdesign.jobs.face_folder import PHOTO_ENDINGS
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import scores

OTHERS = 3
DEFAULT = ProtectSettings().strength
SEED = 20_409
CONFUSIONS = (20, 88, 167, 325)
PRESSURES = (50, 59, 63, 72)
DSSIM_BUDGETS = (0.003, 0.012, 0.022)
"""About that of the ladder's first two rungs on photos framed as LFW's, then the ends of the paper's range."""
Condition = tuple[str, NDArray[np.uint8], NDArray[np.bool_]]


@dataclass(frozen=True)
class Subject:
    """The photo to be changed, its face, and the other photos of that person."""

    pixels: NDArray[np.uint8]
    region: FaceRegion
    gallery: tuple[tuple[torch.Tensor, ...], ...]


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
        the table of `condition_rows`.

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
    """The table of `condition_rows` for everybody with a usable face.

    Raises:
        InputError: there is nobody.
    """
    rows = [row for row in rows if row]
    if not rows:
        raise InputError("nobody has two photos with a usable face; give PERSON/*.jpg with at least two photos each")
    return condition_rows(rows, {entry.spec.name: entry.spec.thresholds["1e-3"] for entry in recognizers})


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
    measured = {UNCHANGED: _measured(subject, subject.pixels, nowhere, recognizers)}
    for name, pixels, mask in GROUPS[group](subject, recognizers, rng):
        measured[name] = _measured(subject, pixels, mask, recognizers)
    return measured


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
    subject: Subject, pixels: NDArray[np.uint8], mask: NDArray[np.bool_], recognizers: Sequence[Recognizer]
) -> dict[str, Any]:
    picture, box = Picture(pixels), photo_face_mask(subject.region, *pixels.shape[:2])
    try:
        # As whoever meets the photo would: landmarks are found anew in its 8-bit pixels.
        region, found = _middle_region(picture, "probe"), True
    except FaceError:
        region, found = subject.region, False
    probe = _embeddings(picture, region, recognizers)
    return {
        "found": found,
        "ssim": [ssim(subject.pixels, pixels, where) for where in (None, box, mask if mask.any() else None)],
        "rmse": float(np.sqrt(np.mean((subject.pixels.astype(float) - pixels) ** 2))),
        "largest": int(np.abs(subject.pixels.astype(int) - pixels).max()),
        "scores": {
            recognizer.spec.name: [scores(recognizer.spec, probe[i][None], o[i])[0].item() for o in subject.gallery]
            for i, recognizer in enumerate(recognizers)
        },
    }


def _together(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """All recognizers jointly, its controls, and what a protected photo meets on its way."""
    for name, pixels, mask in _protected(subject, "all", recognizers, rng):
        yield name, pixels, mask
        yield name.replace("all", "random noise"), controls.random_noise(subject.pixels, pixels, rng), mask
        if name == f"all, {DEFAULT}":
            yield from _on_the_way(name, pixels, mask)
    yield "inverted cells", controls.inverted_cells(subject.pixels, mask), mask


def _left_out(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """Each recognizer in turn judges a protection that never met it."""
    for one in recognizers if len(recognizers) > 1 else ():
        rest = [other for other in recognizers if other.spec.name != one.spec.name]
        yield from _protected(subject, f"without {one.spec.name}", rest, rng)


def _face_task(
    subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator
) -> tuple[FaceTask, NDArray[np.bool_]]:
    settings, image = ProtectSettings(), working_picture(subject.region, subject.pixels)
    task, corners = face_task(subject.region, image, recognizers, settings, rng)
    template = photo_template(subject.region, corners, settings.template.cell_px)
    return task, template.mask(*subject.pixels.shape[:2])


def _with_change(subject: Subject, change: torch.Tensor) -> NDArray[np.uint8]:
    pixels = subject.pixels.copy()
    add_change(subject.region, pixels, change)
    return pixels


def _protected(
    subject: Subject, label: str, recognizers: Sequence[Recognizer], rng: np.random.Generator
) -> Iterator[Condition]:
    task, mask = _face_task(subject, recognizers, rng)
    for rung, change in climbed_rungs(task, LADDER, PerturbSettings(), rng):
        yield f"{label}, {rung.name}", _with_change(subject, change), mask


def _on_the_way(name: str, pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Iterator[Condition]:
    for quality in (95, 85, 75):
        yield f"{name}, JPEG {quality}", controls.recompressed(pixels, quality), mask
    for side in (3, 5):
        yield f"{name}, median {side} x {side}", controls.median_filtered(pixels, side), mask
    yield f"{name}, blur 1 px", controls.gaussian_blurred(pixels, 1.0), mask


def _alone(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """Each recognizer alone, and these separately learned templates stacked within the same budget."""
    tasks, changes, masks, rung = [], [], [], LADDER[1]
    for one in recognizers:
        task, mask = _face_task(subject, [one], rng)
        *_, (_, change) = climbed_rungs(task, LADDER[:2], PerturbSettings(), rng)
        tasks, changes, masks = [*tasks, task], [*changes, change], [*masks, mask]
        yield f"only {one.spec.name}, {rung.name}", _with_change(subject, change), mask
    task, total = baselines.stacked(tasks, changes)
    yield f"stacked, {rung.name}", _with_change(subject, fitted(task, rung, total)), np.any(masks, axis=0)


def _others(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """The paper's other methods at their own strengths, and at about the DSSIM of the ladder's first two rungs."""
    pixels, region, nowhere = subject.pixels, subject.region, np.zeros(subject.pixels.shape[:2], bool)

    def confused(threshold: float) -> NDArray[np.uint8]:
        return baselines.pixel_confusion(pixels, region, threshold, np.random.Generator(np.random.Philox(key=SEED)))

    def twisted(pressure: float) -> NDArray[np.uint8]:
        return baselines.feature_twist(pixels, region, pressure)

    faint = 1 - 2 * DSSIM_BUDGETS[0]
    yield from ((f"pixel confusion, p = {value}", confused(value), nowhere) for value in CONFUSIONS)
    yield f"pixel confusion, DSSIM {DSSIM_BUDGETS[0]}", scaled_to_ssim(confused, pixels, faint, 400), nowhere
    yield from ((f"feature twist, pressure {value}", twisted(value), nowhere) for value in PRESSURES)
    yield f"feature twist, DSSIM {DSSIM_BUDGETS[0]}", scaled_to_ssim(twisted, pixels, faint, 90), nowhere
    for budget in DSSIM_BUDGETS:
        cloaked = baselines.fawkes_like(pixels, region, recognizers[-1], 1 - 2 * budget, rng, PerturbSettings())
        yield f"Fawkes-like, DSSIM {budget}", cloaked, nowhere
    yield "AdvHat-like", baselines.sticker_like(pixels, region, recognizers[-1], rng, PerturbSettings()), nowhere


GROUPS: Mapping[str, Callable[[Subject, Sequence[Recognizer], np.random.Generator], Iterator[Condition]]] = {
    "together": _together,
    "left out": _left_out,
    "alone": _alone,
    "others": _others,
}
"""Conditions that are measured together."""
