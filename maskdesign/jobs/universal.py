"""One texture for many wearers: designed on photos of some people, chosen on others, tested on yet others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskdesign.config import config_hash, to_toml
from maskdesign.errors import InputError
from maskdesign.evaluation.pairs import photo_path, read_pairs
from maskdesign.evaluation.protocol import DesignPeople, choose_design_people
from maskdesign.files import write_image, write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.design_parts import begun_identity, chosen_control
from maskdesign.jobs.groups import design_photos, group_problem, photo_jobs, read_groups
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.jobs.picture import keep_picture, picture_identity
from maskdesign.jobs.sheet import make_sheet
from maskdesign.jobs.stages import chosen_recognizers
from maskdesign.optimize.loop import run_design
from maskdesign.optimize.texture import texture_pixels
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
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
    identity = _identity(photos, people, recognizers) | begun_identity(config) | picture_identity(config)
    run = begin_run(out, to_toml(config), identity)
    with locked(run):
        keep_picture(run, config)
        progress.stage("Masked photos")
        store = store_beside(out, config)
        jobs = photo_jobs(photos, design_photos(people), config)
        design, held_out, refused = read_groups(store, jobs, people, recognizers, models_dir, progress)
        write_json(
            run.path("people.json"),
            {"design": sorted(people.design), "validation": sorted(people.validation), "photos_without_face": refused},
        )
        progress.stage("Design")
        problem = group_problem(design, held_out, recognizers, config)
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
