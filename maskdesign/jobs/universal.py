"""One texture for many wearers: designed on photos of some people, chosen on others, tested on yet others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from maskdesign.config import config_hash, to_toml
from maskdesign.errors import InputError
from maskdesign.evaluation.pairs import Photo, photo_path, read_pairs
from maskdesign.evaluation.protocol import DesignPeople, choose_design_people
from maskdesign.evaluation.table import NO_MASK
from maskdesign.files import write_image, write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.design_parts import begun_identity, chosen_adversary, chosen_canvas, chosen_control
from maskdesign.jobs.photo_embeddings import Shard, embed_photos
from maskdesign.jobs.photo_store import PhotoStore, fill_store
from maskdesign.jobs.sheet import make_sheet
from maskdesign.jobs.stages import chosen_recognizers
from maskdesign.optimize.loop import run_design
from maskdesign.optimize.photo_probes import PhotoProbes, mean_of_others
from maskdesign.optimize.step import Problem
from maskdesign.optimize.texture import texture_pixels
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.render.masked_photo import MaskedPhoto
from maskdesign.run import begin_run, locked

STORE = "masked-photos"
"""Folder beside the runs that keeps masked photos for all of them."""


@dataclass(frozen=True)
class UniversalSummary:
    """What a universal design prints; `in_interval` and `restarts` as in `DesignSummary`."""

    run: str
    seconds: float
    steps: int
    best_loss: float
    in_interval: bool | None
    restarts: int
    people: int
    photos: int
    without_face: int
    texture: str
    sheet: str


@dataclass(frozen=True)
class _Group:
    """Masked photos of some people, and for each one a person's number and embeddings of their other photos.

    Attributes:
        known: for each recognizer (n, E) embeddings of the photos without masks.
    """

    photos: list[MaskedPhoto]
    people: np.ndarray
    enrolments: list[tuple[Tensor, ...]]
    known: list[Tensor]


def store_beside(run_folder: Path, config: JobConfig) -> PhotoStore:
    """The store of masked photos that the runs of one folder share."""
    return PhotoStore(run_folder.resolve().parent / STORE, config.mask, config.drape, config.render)


def design_for_many(
    photos: Path, pairs: Path, count: int, config: JobConfig, out: Path, models_dir: Path | None, progress: Progress
) -> UniversalSummary:
    """Design one texture on the photos of many people.

    Args:
        photos: folder with PERSON/PERSON_0001.jpg.
        pairs: list of pairs as `read_pairs` takes it; nobody of its test folds is looked at.
        count: people to design for.
        models_dir: folder of ONNX recognizers that join dlib's.

    Raises:
        MaskdesignError: anything a user can cause, in one line with the remedy.
    """
    started = time.monotonic()
    progress.stage("Recognizers")
    recognizers = chosen_recognizers(load_recognizers(models_dir, config.recognizers), config)
    people = choose_design_people(read_pairs(pairs), config.photos, count, config.seed)
    run = begin_run(out, to_toml(config), _identity(photos, people, recognizers) | begun_identity(config))
    with locked(run):
        progress.stage("Masked photos")
        store = store_beside(out, config)
        jobs = photo_jobs(photos, design_photos(people), config)
        made = fill_store(store, list(jobs.values()), progress)
        keys = {photo: made[job] for photo, job in jobs.items() if store.reason(made[job]) is None}
        refused = {f"{p[0]}_{p[1]:04d}": str(store.reason(made[jobs[p]])) for p in jobs if p not in keys}
        progress.stage("Enrolment")
        bare = embed_photos(store, list(keys.values()), {NO_MASK: None}, models_dir, recognizers, Shard(), progress)
        design, held_out = (
            _group(store, keys, [bare[r.spec.name][NO_MASK] for r in recognizers], group)
            for group in (people.design, people.validation)
        )
        write_json(
            run.path("people.json"),
            {"design": sorted(people.design), "validation": sorted(people.validation), "photos_without_face": refused},
        )
        progress.stage("Design")
        problem = _problem(design, held_out, recognizers, config)
        state = run_design(problem, run.checkpoint, run.metrics, config_hash(config), progress)
        write_image(run.texture, texture_pixels(problem.canvas.finished(state.best_parameters)))
        progress.stage("Sheets")
        for paper in config.papers:
            make_sheet(run, config, paper, run.sheet(paper))
    return UniversalSummary(
        run=str(run.folder),
        seconds=round(time.monotonic() - started, 1),
        steps=state.step,
        best_loss=state.best_loss,
        in_interval=None if chosen_control(config) is None else state.handed_over,
        restarts=state.restarts,
        people=len(np.unique(design.people)),
        photos=len(design.photos),
        without_face=len(refused),
        texture=str(run.texture),
        sheet=str(run.sheet(config.papers[0])),
    )


def photo_jobs(folder: Path, photos: Sequence[Photo], config: JobConfig) -> dict[Photo, tuple[Path, float]]:
    """Photos with the pleat openings of the design, by turns."""
    openings = config.openings_mm
    return {photo: (photo_path(folder, photo), openings[n % len(openings)]) for n, photo in enumerate(photos)}


def design_photos(people: DesignPeople) -> list[Photo]:
    """Every photo of a universal design, in its order."""
    return [photo for group in (people.design, people.validation) for own in group.values() for photo in own]


def _identity(folder: Path, people: DesignPeople, recognizers: Sequence[Recognizer]) -> dict[str, object]:
    digest = hashlib.sha256()
    for photo in design_photos(people):
        path = photo_path(folder, photo)
        if not path.is_file():
            raise InputError(f"{path}: no such photo; complete the folder or take a list of pairs that fits it")
        digest.update(path.read_bytes())
    return {
        "photos": digest.hexdigest(),
        "people": [len(people.design), len(people.validation)],
        "recognizers": {recognizer.spec.name: recognizer.spec.sha256 for recognizer in recognizers},
    }


def _group(
    store: PhotoStore, keys: Mapping[Photo, str], bare: Sequence[Tensor], people: Mapping[str, tuple[Photo, ...]]
) -> _Group:
    rows = {photo: row for row, photo in enumerate(keys)}
    # One photo alone has nothing to be compared with.
    kept = [[photo for photo in own if photo in keys] for own in people.values()]
    kept = [own for own in kept if len(own) > 1]
    if not kept:
        raise InputError("no two photos of one person show a face; give a folder of portraits")
    photos = [photo for own in kept for photo in own]
    numbers = np.repeat(np.arange(len(kept)), [len(own) for own in kept])
    chosen = [rows[photo] for photo in photos]
    known = [embeddings[chosen] for embeddings in bare]
    columns = [mean_of_others(embeddings, numbers) for embeddings in known]
    masked = [store.load(keys[photo]) for photo in photos]
    return _Group(masked, numbers, list(zip(*columns, strict=True)), known)


def _problem(design: _Group, held_out: _Group, recognizers: Sequence[Recognizer], config: JobConfig) -> Problem:
    control = chosen_control(config)
    probes = PhotoProbes(
        photos=design.photos,
        enrolments=design.enrolments,
        held_out=held_out.photos,
        held_out_enrolments=held_out.enrolments,
        jitter=config.jitter,
        pattern=config.mask,
        seed=config.seed,
    )
    return Problem(
        adversary=chosen_adversary(recognizers, design.known, config),
        probes=probes if control is None else _first_round(probes, design.people),
        canvas=chosen_canvas(config),
        design=config.design,
        seed=config.seed,
        control=control,
        joined=None if control is None else probes,
    )


def _first_round(probes: PhotoProbes, people: np.ndarray) -> PhotoProbes:
    """The photos of the first half of the people; the others join in the second round."""
    count = int((people <= people.max() // 2).sum())
    return replace(probes, photos=probes.photos[:count], enrolments=probes.enrolments[:count])
