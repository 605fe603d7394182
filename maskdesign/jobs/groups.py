"""Groups of people on whose photos one common texture is designed and chosen, and the problem that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.evaluation.pairs import Photo, photo_path
from maskdesign.evaluation.protocol import DesignPeople
from maskdesign.evaluation.table import NO_MASK
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.design_parts import chosen_adversary, chosen_canvas, chosen_control
from maskdesign.jobs.photo_embeddings import Shard, embed_photos
from maskdesign.jobs.photo_store import PhotoStore, fill_store
from maskdesign.jobs.picture import on_picture
from maskdesign.optimize.adversary import Adversary
from maskdesign.optimize.agreement import check_people
from maskdesign.optimize.photo_probes import PhotoProbes, mean_of_others
from maskdesign.optimize.step import Problem
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.render.masked_photo import MaskedPhoto


@dataclass(frozen=True)
class Group:
    """Masked photos of some people, and for each one a person's number and embeddings of their other photos.

    Attributes:
        known: for each recognizer (n, E) embeddings of the photos without masks.
    """

    photos: list[MaskedPhoto]
    people: NDArray[np.int64]
    enrolments: list[tuple[Tensor, ...]]
    known: list[Tensor]


def read_groups(
    store: PhotoStore,
    jobs: Mapping[Photo, tuple[Path, float]],
    people: DesignPeople,
    recognizers: Sequence[Recognizer],
    models_dir: Path | None,
    progress: Progress,
) -> tuple[Group, Group, dict[str, str]]:
    """Mask and embed every photo of a design for many people.

    Args:
        jobs: of `photo_jobs`.

    Returns:
        the people to design for, those to choose on, and photo -> reason of those without a face.
    """
    made = fill_store(store, list(jobs.values()), progress)
    keys = {photo: made[job] for photo, job in jobs.items() if store.reason(made[job]) is None}
    refused = {f"{p[0]}_{p[1]:04d}": str(store.reason(made[jobs[p]])) for p in jobs if p not in keys}
    progress.stage("Enrolment")
    found = embed_photos(store, list(keys.values()), {NO_MASK: None}, models_dir, recognizers, Shard(), progress)
    bare = [found[recognizer.spec.name][NO_MASK] for recognizer in recognizers]
    groups = (people.design, people.validation)
    design, held_out = (read_group(store, keys, bare, group) for group in groups)
    return design, held_out, refused


def photo_jobs(folder: Path, photos: Sequence[Photo], config: JobConfig) -> dict[Photo, tuple[Path, float]]:
    """Photos with the pleat openings of the design, by turns."""
    openings = config.openings_mm
    return {photo: (photo_path(folder, photo), openings[n % len(openings)]) for n, photo in enumerate(photos)}


def design_photos(people: DesignPeople) -> list[Photo]:
    """Every photo of a universal design, in its order."""
    return [photo for group in (people.design, people.validation) for own in group.values() for photo in own]


def read_group(
    store: PhotoStore, keys: Mapping[Photo, str], bare: Sequence[Tensor], people: Mapping[str, tuple[Photo, ...]]
) -> Group:
    """The photos of some people that show a face.

    Args:
        keys: photo -> key in the store, of all photos with a face.
        bare: for each recognizer embeddings of these photos without masks, in the order of `keys`.
        people: whom to take.

    Raises:
        InputError: nobody has two photos with a face.
    """
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
    return Group(masked, numbers, list(zip(*columns, strict=True)), known)


def group_problem(
    design: Group,
    held_out: Group,
    recognizers: Sequence[Recognizer],
    config: JobConfig,
    adversary: Adversary | None = None,
) -> Problem:
    """One texture for everybody in a group, chosen on another group.

    Args:
        adversary: in place of the one that `config.fusion` names.
    """
    control = chosen_control(config)
    enrolled = [torch.stack(rows) for rows in zip(*design.enrolments, strict=True)]
    check_people(recognizers, design.known, enrolled)
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
        adversary=adversary or chosen_adversary(recognizers, design.known, config),
        probes=probes if control is None else _first_round(probes, design.people),
        canvas=on_picture(chosen_canvas(config), config),
        design=config.design,
        seed=config.seed,
        control=control,
        joined=None if control is None else probes,
    )


def _first_round(probes: PhotoProbes, people: np.ndarray) -> PhotoProbes:
    """The photos of the first half of the people; the others join in the second round."""
    count = int((people <= people.max() // 2).sum())
    return replace(probes, photos=probes.photos[:count], enrolments=probes.enrolments[:count])
